"""From raw columns to feature columns, each row independent of the others.

This very file runs in training over a table and in the server over a request, so it imports numpy only.
"""

from typing import Any

import numpy as np

NUMERIC: tuple[str, ...] = ("departure_minute", "planned_minutes", "weekday", "distance", "plane_age", "seats")
CATEGORICAL: tuple[str, ...] = ("carrier", "origin", "dest")


def features(raw: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Give every name of NUMERIC and CATEGORICAL, shape (n,) each.

    Args:
        raw: the columns of `schema.py` without label and row id, shape (n,): numbers are float64 with NaN,
            text is str with "(missing)".
    """
    return {
        "departure_minute": raw["departure_minute"],
        "planned_minutes": (raw["arrival_minute"] - raw["departure_minute"]) % 1440,
        "weekday": raw["weekday"],
        "distance": raw["distance"],
        "plane_age": 2013 - raw["plane_year"],
        "seats": raw["seats"],
        "carrier": raw["carrier"],
        "origin": raw["origin"],
        "dest": raw["dest"],
    }
