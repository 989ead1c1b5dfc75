"""What a box's image is written anew into. The transfer itself is in tests/hostile/test_builds.py, on a real one."""

import json

import pytest

from infraaudit_domain.errors import BuildFailedError
from resources.engine.box.layers import chains
from resources.engine.box.transfer import labelled


def test_our_labels_replace_what_the_image_says_in_our_name() -> None:
    config = {"Labels": {"infraaudit.project": "other", "infraaudit.owner": "x", "kept": "1"}, "User": "7"}
    text = json.dumps({"config": config, "rootfs": {"diff_ids": ["sha256:a"]}})
    found = json.loads(labelled(text, {"infraaudit.project": "mine"}))
    assert found["config"] == {"Labels": {"infraaudit.project": "mine", "kept": "1"}, "User": "7"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"rootfs": {"diff_ids": 1}}', '{"config": 3, "rootfs": {"diff_ids": []}}']
)
def test_a_configuration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BuildFailedError, match="without a readable configuration"):
        labelled(text, {})


def test_a_layer_is_named_by_those_below_it() -> None:
    # https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
    assert chains(["sha256:a"]) == ["sha256:a"]
    one, two = chains(["sha256:a", "sha256:b"])
    assert one == "sha256:a"
    assert two == "sha256:" + __import__("hashlib").sha256(b"sha256:a sha256:b").hexdigest()
    assert chains([]) == []
