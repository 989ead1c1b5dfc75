"""Take the names of old commits' images from the engine, which then frees what no other name and no container needs.

Deliberately absent: which commits are old, images of others, and the registry, whose own retention it has.
"""

from collections.abc import Collection
from contextlib import suppress

from infraaudit_domain.errors import EngineError
from resources.engine.client import Engine


def forget_images(engine: Engine, references: Collection[str]) -> int:
    """Remove those of some references that the engine has; one that a container uses stays. Returns the number."""
    listed = engine.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", timeout=60).text.split()
    # Podman shows where a name without a host belongs.
    going = {name for name in listed if name.removeprefix("localhost/") in references}
    gone = 0
    for name in going:
        with suppress(EngineError):
            engine.remove_image(name)
            gone += 1
    return gone
