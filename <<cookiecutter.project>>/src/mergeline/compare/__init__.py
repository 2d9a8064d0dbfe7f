"""Base against candidate on the same rows: statistics, slices, data, gates, and the report that says so."""
