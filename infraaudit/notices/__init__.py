"""Notices: what people are told, whom, and when it is sent."""
