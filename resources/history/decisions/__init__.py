"""What let commits through, or kept them out: people, the rules of the day, and measurements."""
