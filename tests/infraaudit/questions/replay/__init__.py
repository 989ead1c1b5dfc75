"""Tests of the answers that play the past again, each against a brute force over random pasts."""
