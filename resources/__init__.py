"""Outside systems, a folder each; none knows what another is for."""
