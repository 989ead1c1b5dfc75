"""What is written through the API: each of these needs a token that may."""
