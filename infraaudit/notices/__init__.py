"""Notices: what is reported, to whom, and when."""
