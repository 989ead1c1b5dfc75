"""Hostile inputs with canaries, through the real product on real systems.

Each case is something that a commit may hold; beside it is what it must not reach, and the words that the run has to
say. A canary is a thing of ours that is watched: a secret in the environment, a file, a listener, another project's
image or cache. Deliberately absent: cases that only a mock could show.
"""
