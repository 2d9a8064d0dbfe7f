"""What a raw row looks like. `model validate` refuses rows that differ; a request carries these columns."""

import pandera.polars as pa

LABEL = "minutes_late"
ROW_ID = "flight_id"
TIME: str | None = "date"
SLICES: tuple[str, ...] = ("origin", "carrier")
SENSITIVE: tuple[str, ...] = ()
UNLOGGED: tuple[str, ...] = ()


class Row(pa.DataFrameModel):
    """One flight that arrived. A column that is not named here is left out of training and requests."""

    flight_id: str = pa.Field(unique=True)
    date: str = pa.Field(str_matches=r"^\d{4}-\d{2}-\d{2}$", description="local day of departure")
    month: int = pa.Field(ge=1, le=12)
    weekday: int = pa.Field(ge=1, le=7, description="1 is Monday")
    departure_minute: int = pa.Field(ge=0, lt=1440, description="planned, minutes after local midnight")
    arrival_minute: int = pa.Field(ge=0, le=1440, description="planned, minutes after local midnight")
    carrier: str = pa.Field(str_length={"min_value": 2, "max_value": 2})
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    dest: str = pa.Field(str_length={"min_value": 3, "max_value": 3})
    distance: int = pa.Field(gt=0, description="miles")
    plane_year: int = pa.Field(nullable=True, ge=1950, le=2013)
    seats: int = pa.Field(nullable=True, gt=0)
    temp: float = pa.Field(nullable=True, description="Fahrenheit, an hour before")
    dewp: float = pa.Field(nullable=True, description="Fahrenheit, an hour before")
    humid: float = pa.Field(nullable=True, ge=0, le=100, description="percent, an hour before")
    wind_speed: float = pa.Field(nullable=True, ge=0, description="miles per hour, an hour before")
    precip: float = pa.Field(nullable=True, ge=0, description="inches, an hour before")
    pressure: float = pa.Field(nullable=True, ge=800, le=1100, description="millibar, an hour before")
    visib: float = pa.Field(nullable=True, ge=0, description="miles, an hour before")
    minutes_late: float = pa.Field(description="arrival, minutes after plan; negative is early")
