"""What makes Checkov faster without changing what it finds."""
