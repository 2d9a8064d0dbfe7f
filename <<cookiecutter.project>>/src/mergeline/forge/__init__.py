"""Pull requests, comments, statuses and artifacts: one protocol, one file per forge."""
