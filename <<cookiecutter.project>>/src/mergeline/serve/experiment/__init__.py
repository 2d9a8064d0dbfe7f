"""A second release beside the pinned one: which rows it answers, when it is dropped, and how it gets here."""
