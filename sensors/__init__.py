"""Sensors: what starts runs."""
