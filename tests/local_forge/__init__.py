"""A forge on this machine, for the tests: one repository on GitHub, checked against GitHub's own description."""
