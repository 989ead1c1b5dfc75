"""What Checkov was to read of a commit, what it read, and what that leaves unread."""
