"""Gets a bundle by its id from where MERGELINE_BUNDLES says: a folder, or s3://bucket/prefix; each has one folder an id.

`model release build` keeps bundles so: in the state folder's `bundles/`, and below `bundles/` in the DVC remote.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from ...bundle import FILES, INDEX, Bundle
from ...errors import BadSettings, Integrity

BUNDLES = "MERGELINE_BUNDLES"


def fetch(place: str, bundle_id: str, prepare: Callable[[Path, str], Bundle]) -> Bundle:
    """Give a bundle, verified.

    Args:
        place: what MERGELINE_BUNDLES says.
        bundle_id: sha256 of its bundle.json.
        prepare: loads a folder and refuses another bundle than the one with this id.

    Raises:
        BadSettings: `place` is empty, or cannot be read.
        Integrity: the bundle is not there, or is another one.
    """
    if not place:
        raise BadSettings(
            f"{BUNDLES} does not say where bundles lie", f"Set {BUNDLES} to a folder or to s3://bucket/prefix."
        )
    if not place.startswith("s3://"):
        folder = Path(place) / bundle_id
        if not folder.is_dir():
            raise Integrity(f"{place} has no bundle {bundle_id[:12]}", "Copy it there, or let `model deploy` do so.")
        return prepare(folder, bundle_id)
    with tempfile.TemporaryDirectory(prefix="bundle-") as temporary:
        _download(place, bundle_id, Path(temporary))
        return prepare(Path(temporary), bundle_id)


def _download(place: str, bundle_id: str, to: Path) -> None:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise BadSettings(
            f"{BUNDLES} is {place}, and boto3 is not installed here",
            "Add boto3 to requirements/serve.txt, or mount the bundles as a folder.",
        ) from None
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    try:
        client = boto3.client("s3")
        for name in (INDEX, *FILES):
            client.download_file(bucket, f"{start}{bundle_id}/{name}", str(to / name))
    except (BotoCoreError, ClientError) as error:
        raise Integrity(f"{place} gave no bundle {bundle_id[:12]}: {' '.join(str(error).split()):.200}") from error
