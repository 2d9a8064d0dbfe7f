"""The pull requests that the demo and the loop's test play on the flights: each is a small edit of a person's files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Change:
    """A pull request's title and what it replaces in which file."""

    title: str
    edits: tuple[tuple[str, str, str], ...]

    def apply(self, project: Path) -> None:
        """Write the edits. Raises ValueError where the file no longer holds what is replaced."""
        for name, old, new in self.edits:
            path = project / name
            text = path.read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise ValueError(f"{name} holds {old!r} {text.count(old)} times, not once")
            path.write_text(text.replace(old, new), encoding="utf-8")


FLIGHT = {
    "date": "2013-06-28",
    "month": 6,
    "weekday": 5,
    "departure_minute": 1065,
    "arrival_minute": 1245,
    "carrier": "B6",
    "origin": "JFK",
    "dest": "BOS",
    "distance": 187,
    "plane_year": 2006,
    "seats": 200,
    "precip": 0.1,
}
"""A flight to ask about; what is not said of it is missing."""

FEATURES = "src/model/features.py"
WEATHER_COLUMNS = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")

WEATHER = Change(
    "Use the weather of the hour before",
    (
        (FEATURES, '"plane_age", "seats")', '"plane_age", "seats", *WEATHER)'),
        (
            FEATURES,
            "NUMERIC: tuple[str, ...] =",
            f"WEATHER: tuple[str, ...] = {WEATHER_COLUMNS!r}\nNUMERIC: tuple[str, ...] =".replace("'", '"'),
        ),
        (
            FEATURES,
            '        "carrier": raw["carrier"],',
            '        **{name: raw[name] for name in WEATHER},\n        "carrier": raw["carrier"],',
        ),
    ),
)

WORSE = Change(
    "Leave the hour out: simpler is better",
    (
        (FEATURES, '"departure_minute", "planned_minutes"', '"planned_minutes"'),
        (FEATURES, '        "departure_minute": raw["departure_minute"],\n', ""),
    ),
)

JULY = Change(
    "Train on June with smaller steps, judge on July",
    (
        ("params.yaml", 'as_of: "2013-07-01"', 'as_of: "2013-08-01"'),
        ("params.yaml", "learning_rate: 0.1", "learning_rate: 0.08"),
    ),
)
"""Data and code both change, so that a reader asks which of them did it."""
