"""Make the buckets that are missing, then become MLflow's server: what compose/ runs."""

import os

import boto3
from botocore.config import Config

BUCKETS = ("dvc", "mlflow")
"""Of the projects' data, and of what their runs log."""
PATIENT = Config(connect_timeout=5, retries={"total_max_attempts": 10, "mode": "standard"})


def main() -> None:
    """Ask the store, which may still be starting, and become the server."""
    store = boto3.client("s3", config=PATIENT)
    there = {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}
    for bucket in BUCKETS:
        if bucket not in there:
            store.create_bucket(Bucket=bucket)
    everywhere = "0.0.0.0"  # noqa: S104 - of its container
    server = ["mlflow", "server", "--host", everywhere, "--port", "5000", "--workers", "2"]
    kept = ["--backend-store-uri", os.environ["DATABASE_URL"], "--artifacts-destination", "s3://mlflow"]
    os.execvp(server[0], server + kept)  # noqa: S606 - nothing of it comes from outside


if __name__ == "__main__":
    main()
