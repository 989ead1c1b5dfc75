"""What holds the layout: folders, imports, and names that strings give."""
