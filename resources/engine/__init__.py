"""The container engine: Docker or Podman, driven by its own program.

The program, not a socket library: it has BuildKit, credential helpers, contexts and remote engines. It is started by
resources/machine/process, which gives it a time limit and our death.
"""

from resources.engine.client import Builder, Engine, ImageFacts
from resources.engine.detection import detect_engine

__all__ = ["Builder", "Engine", "ImageFacts", "detect_engine"]
