"""Fixtures of all tests of resources."""

from tests.resources.engines import engine

__all__ = ["engine"]
