"""What a project's forge is shown of its commits."""
