"""Questions to one finding, and their answers."""
