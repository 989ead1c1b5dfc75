"""The tests, in the folders of what they test; tests/e2e drives whole programs on real systems."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
