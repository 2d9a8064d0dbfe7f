"""Batch scoring: tables of rows in, tables of scores out, by the bundle that the server answers with."""
