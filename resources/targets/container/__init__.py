"""The pod of a manifest as containers of the engine: started, probed, swapped."""
