"""Answers that play the past again: as it was at a moment, under another gate, under a new rule, with another commit."""
