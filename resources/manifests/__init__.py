"""Manifests as files: read, bounded, and rendered by kustomize."""
