"""What a release claimed when it was merged, and what is needed to check it on rows that nobody knew then."""

from pathlib import Path

import msgspec


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One release's reviewed verdict, its two bundles, and from which day on rows are new to both.

    `models` are the folders of base and release, None with a `reason` where they cannot be had; `end` is the first day
    that neither knew, by `data.as_of` or else by the only column that holds times. Group and level are those by which the base judged.
    """

    release: str
    when: str
    code: str
    word: str
    metric: str
    difference: float
    interval: tuple[float, float] | None
    models: tuple[Path, Path] | None = None
    end: str | None = None
    by_as_of: bool = True
    group: str | None = None
    split_group: str | None = None
    level: float = 0.95
    reason: str | None = None
