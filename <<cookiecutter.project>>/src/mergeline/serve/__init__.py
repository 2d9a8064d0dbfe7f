"""The scoring server. It reads a bundle and imports neither scikit-learn nor polars nor pandas nor MLflow."""
