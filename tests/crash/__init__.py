"""A real installation, killed and broken at seeded moments: nobody repairs anything by hand."""
