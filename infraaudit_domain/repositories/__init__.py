"""What a repository holds, and what of it the pipeline would use."""
