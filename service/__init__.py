"""The always-on HTTP process: webhooks, metrics, API, pages."""
