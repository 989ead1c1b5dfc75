"""Sensors and schedules: what starts runs, and what watches deployments."""
