"""The pipeline's own files: projects, gate, severities, suppressions."""
