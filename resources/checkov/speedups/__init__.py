"""What makes Checkov faster without changing what it finds.

A patch is a function under ``@made_for`` (patch.py), which names the modules of Checkov and its libraries that it
changes or relies on. Where one of them is not the text that was read (known_sources.py), the patch is left out and the
scan says so: slower, never different.

When a new Checkov comes:

1. ``python -m resources.checkov.speedups.known_sources`` prints the digests of what is installed now; compare them
   with ``DIGESTS`` there. What is equal needs nothing.
2. For each module that differs, read what changed, and the patches that name it; fix those that no longer fit.
3. Put the new digests in, run tests/resources/checkov and ``benchmarks/scan_backfill.py``, which compares every finding
   with those of an unpatched Checkov. Only then are the digests known.
"""
