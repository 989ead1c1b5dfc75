"""What operators do with an installation: check it, back it up, restore it."""
