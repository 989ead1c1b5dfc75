"""docs/settings.md lists every variable there is, and none that is not."""

import re
import subprocess

from infraaudit_assets.settings import Settings
from tests import ROOT
from tests.docs.settings_page import CHECKOUT, DEPLOYMENT, INTERNAL, PAGE, PREFIX, page

SETTINGS = frozenset(name.upper() for name in Settings.model_fields)
LISTED = SETTINGS | DEPLOYMENT.keys() | CHECKOUT.keys()


def test_the_page_is_the_generated_one() -> None:
    assert PAGE.read_text() == page(), "stale: python -m tests.docs.settings_page"


def test_every_setting_has_a_description() -> None:
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_every_variable_named_in_the_tree_is_listed_and_every_listed_one_is_named() -> None:
    words = ["git", "grep", "-hoE", rf"\b{PREFIX}[A-Z][A-Z_0-9]*\b", "--", ".", ":!docs/settings.md", ":!tests/docs"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    named = {re.sub(f"^{PREFIX}", "", each) for each in found}
    assert named - INTERNAL - LISTED == set()
    # A setting may be named by its field alone; the others only exist where they are named.
    assert (LISTED - SETTINGS) - named == set()
