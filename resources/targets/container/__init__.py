"""The manifest's pod as containers of the engine: started, probed, swapped."""
