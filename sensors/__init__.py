"""What starts runs, and what watches."""
