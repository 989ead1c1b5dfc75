"""Where releases are deployed to: a cluster, or containers of the engine."""
