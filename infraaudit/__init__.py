"""What InfraAudit does, without Dagster, HTTP or a terminal: each module joins two outside systems."""
