"""A smaller model that is as good: what fewer and shallower trees gain in bytes and time, and what they cost."""
