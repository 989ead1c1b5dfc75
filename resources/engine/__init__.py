"""The container engine: Docker or Podman, driven by its own program.

The program, not a socket library: it has BuildKit, credential helpers, contexts and remote engines.
resources/machine/process starts it, with a time limit, and kills it when we die.
"""

from resources.engine.client import Builder, Engine, ImageFacts
from resources.engine.detection import detect_engine

__all__ = ["Builder", "Engine", "ImageFacts", "detect_engine"]
