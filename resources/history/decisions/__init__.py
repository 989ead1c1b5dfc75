"""What people decided about commits, and what the rules of the day say of what is live."""
