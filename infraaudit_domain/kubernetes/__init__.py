"""Manifests and the objects that they become: what is allowed, read, waited for and compared."""
