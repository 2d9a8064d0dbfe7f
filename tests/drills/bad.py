"""Generates requests that are bad, or that only look so: what hypothesis makes of good ones, and of nothing."""

import gzip
import json
import zlib
from dataclasses import dataclass

import msgspec
from hypothesis import strategies as st

from tests.unit.serve.made import COLUMNS, made_rows

JSON = "application/json"
NAMES = [column.name for column in COLUMNS]
GOOD = {"rows": made_rows(3, seed=3)}
TABLE = {name: [row.get(name) for row in GOOD["rows"]] for name in NAMES}
SPLIT = {"columns": NAMES, "data": [list(row) for row in zip(*TABLE.values(), strict=True)]}
TEXT_CSV = b'distance,carrier,dest\n100,"U,A",ORD\n,"a ""b""\nc",\n'

SEEDS = [
    msgspec.json.encode(body)
    for body in (
        GOOD,
        GOOD["rows"][0],
        GOOD["rows"],
        {"columns": TABLE},
        {"dataframe_split": SPLIT},
        {"dataframe_records": GOOD["rows"]},
        {"instances": GOOD["rows"]},
        {"inputs": TABLE},
    )
]
WORDS = [
    b"1e400",
    b"-1e400",
    b"NaN",
    b"-Infinity",
    b"1e-400",
    b"-0",
    b"9" * 30,
    b"9" * 5_000,
    b'"\\ud800"',
    b"\xff",
    b"nul",
]
TYPES = [
    JSON,
    "text/csv",
    "text/plain",
    "application/json; charset=utf-16",
    "application/vnd.apache.parquet",
    "",
    "*/*",
    "a" * 9_000,
]
ENCODINGS = ["gzip", "br", "deflate", "identity", "x", ""]
PLACES = ["/predict", "/metrics", "/docs", "/", "/predict/", "/%00", "//", "/schema?x=%ff", "/openapi.json"]
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "X"]
CODECS = ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "latin-1"]


@dataclass(frozen=True)
class Bad:
    """One request."""

    path: str
    body: bytes
    kind: str = JSON
    encoding: str = ""
    method: str = "POST"


paths = st.sampled_from(["/predict", "/invocations"])
seeds = st.sampled_from(SEEDS)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good body, some bytes of which were taken away, changed or doubled."""
    body = bytearray(draw(seeds))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        body[at : at + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"{", b"]", b",", b":", b"\\"])
        )
    return bytes(body)


@st.composite
def truncated(draw: st.DrawFn) -> bytes:
    body = draw(seeds)
    return body[: draw(st.integers(0, len(body) - 1))]


@st.composite
def with_a_word(draw: st.DrawFn) -> bytes:
    """A row, one value of which no number, text or time is written as."""
    name = draw(st.sampled_from(NAMES)).encode()
    return draw(st.sampled_from([b'{"%s": %s}', b'{"instances": [{"%s": %s}]}'])) % (name, draw(st.sampled_from(WORDS)))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
keys = st.sampled_from(
    [
        *NAMES,
        "rows",
        "columns",
        "data",
        "dataframe_split",
        "dataframe_records",
        "instances",
        "inputs",
        "params",
        "messages",
    ]
)
typed = st.dictionaries(keys, values, max_size=6).map(lambda body: json.dumps(body).encode())


@st.composite
def nested(draw: st.DrawFn) -> bytes:
    depth = draw(st.sampled_from([50, 900, 1_000, 5_000, 100_000]))
    opened, closed = draw(st.sampled_from([(b"[", b"]"), (b'{"distance":', b"}"), (b'{"rows":[', b"]}")]))
    return opened * depth + draw(st.sampled_from([b"1", b""])) + closed * draw(st.sampled_from([depth, 0, depth + 1]))


def bombs() -> list[bytes]:
    """Little that asks for much: columns, rows, keys, escapes, packed spaces."""
    many = 15_000
    return [
        json.dumps({"distance": 1, **dict.fromkeys(map(str, range(many)), 1)}).encode(),
        b"[" + b'{"distance":1},' * many + b'{"distance":1}]',
        b"[" + b"{}," * many + b"{}]",
        b"[" + b"[]," * many + b"[]]",
        b'{"columns":{"distance":[' + b"1," * many + b'1],"carrier":[]}}',
        b'{"dataframe_split":{"columns":["distance"],"data":[' + b"[1]," * many + b"[]]}}",
        b"{" + b'"distance":1,' * many + b'"distance":2}',
        b'{"carrier":"' + b"\\u0000" * many + b'"}',
        b'{"planned":"' + b"9" * many + b'"}',
        gzip.compress(b" " * 1_000 * many),
        zlib.compress(b" " * 1_000 * many),
    ]


@st.composite
def recoded(draw: st.DrawFn) -> bytes:
    return draw(seeds).decode().encode(draw(st.sampled_from(CODECS)), errors="replace")


csvs = st.one_of(
    st.lists(st.lists(st.text(max_size=6) | st.sampled_from([*NAMES, "1", '"', "NA"]), max_size=8), max_size=8).map(
        lambda lines: "\n".join([",".join(NAMES), *map(",".join, lines)]).encode(errors="replace")
    ),
    st.integers(0, len(TEXT_CSV)).map(lambda end: TEXT_CSV[:end]),
    st.sampled_from(
        [
            b"distance\n" + b"\n" * 20_000,
            b"," * 5_000 + b"\n1",
            b"distance\n" + b"1\n" * 10_001,
            b'carrier\n"' + b"x" * 200_000 + b'"\n',
            b'carrier\n"never closed' + b"\n" * 100,
            b"distance\r1\r\n\x00\n",
            b"\xef\xbb\xbfdistance\n1\n",
        ]
    ),
    st.binary(max_size=60),
)
bodies = st.one_of(mutated(), truncated(), with_a_word(), typed, recoded(), st.binary(max_size=60), mutated())

usual = st.one_of(
    st.builds(Bad, paths, bodies),
    st.builds(Bad, st.just("/invocations"), csvs, st.just("text/csv")),
    st.builds(Bad, paths, bodies, st.sampled_from(TYPES) | st.text('ab/;=" *', max_size=12)),
    st.builds(Bad, paths, bodies, encoding=st.sampled_from(ENCODINGS)),
    st.builds(Bad, st.sampled_from(PLACES), bodies, method=st.sampled_from(METHODS)),
)
large = st.builds(Bad, paths, nested() | st.sampled_from(bombs()), encoding=st.sampled_from(["", "", "gzip"]))
requests = st.integers(0, 19).flatmap(lambda place: large if place == 7 else usual)
"""Requests of every sort; one of twenty is large, so that there can be many."""
