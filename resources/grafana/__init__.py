"""Grafana: its HTTP API, its alert rules, what is provisioned."""
