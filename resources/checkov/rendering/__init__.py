"""Kustomizations and Helm charts of a commit, rendered without network and plugins, and scanned as rendered."""
