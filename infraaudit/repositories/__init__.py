"""What is done with a repository before its first commit goes through: read what it holds, check what its project needs."""
