"""Whether a commit may be deployed: the gate, and what the pipeline's owners accept."""
