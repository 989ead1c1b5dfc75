"""Tests of the layout: folders, imports, and names in strings."""
