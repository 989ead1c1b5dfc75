"""How findings live along commits: what changed, through whom, and why, as far as scans prove it."""
