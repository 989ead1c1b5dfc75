"""Pages and pictures for people: the audit page, the Grafana dashboard, the trend picture."""
