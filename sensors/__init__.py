"""What starts runs, and what tells people how they ended."""
