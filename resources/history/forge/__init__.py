"""What forges are to show of commits, and which of them take nothing."""
