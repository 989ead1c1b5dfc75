"""Manifests as files: read within limits, and rendered by kustomize."""
