"""What people look at: the audit page, the Grafana dashboard, the trend picture."""
