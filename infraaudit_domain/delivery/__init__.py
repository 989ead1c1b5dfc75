"""What is built, tested and deployed, with its outcomes and their measures."""
