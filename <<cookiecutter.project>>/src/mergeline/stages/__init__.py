"""One module per stage of dvc.yaml; each has `run(root: Path) -> None`."""
