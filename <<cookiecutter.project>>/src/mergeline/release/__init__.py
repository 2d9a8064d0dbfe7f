"""Releases and pins: what was reviewed, content-addressed, and which environment runs it."""
