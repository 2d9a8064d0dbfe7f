"""Yours: what you edit to make the model better."""
