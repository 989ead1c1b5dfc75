"""What the service does beside answering: each worker takes up what was stored, and leaves it where it was on an error."""
