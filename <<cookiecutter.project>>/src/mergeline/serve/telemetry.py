"""What the server tells about itself: Prometheus metrics and JSON lines on stderr."""

import logging
import sys
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# One row takes well under a millisecond, ten thousand rows some tens: finer at the bottom than the usual buckets.
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ROWS = (1, 10, 100, 1_000, 10_000)


class Metrics:
    """The metrics of one server process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "mergeline_requests", "Answers by route and status.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "mergeline_predict_seconds", "Time to answer a request for predictions.", buckets=SECONDS, registry=registry
        )
        self._rows = Histogram(
            "mergeline_predict_rows", "Rows of a request for predictions.", buckets=ROWS, registry=registry
        )
        self._predictions = Counter(
            "mergeline_predictions",
            "Predicted rows by label; the label of a regression is empty.",
            ["label"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "mergeline_requests_in_flight", "Requests that wait for their answer.", registry=registry
        )
        self.ready = Gauge("mergeline_ready", "1 when new requests are welcome, 0 while draining.", registry=registry)
        self._serving = Info("mergeline_serving", "What is served.", registry=registry)
        self._experiment = Gauge(
            "mergeline_experiment",
            "What this process counted of the experiment since it was loaded; unavailable: 1 when it could not be.",
            ["count"],
            registry=registry,
        )

    def serves(self, *, model: str, bundle: str, release: str | None) -> None:
        """Say what is served from now on."""
        self._serving.info({"model": model, "bundle": bundle, "release": release or ""})

    def answered(self, route: str, status: int) -> None:
        """Count an answer; `route` is one of the known ones, or "other"."""
        self._requests.labels(route, str(status)).inc()

    def predicted(self, seconds: float, rows: int, labels: Sequence[str]) -> None:
        """Count a request's predictions and the seconds that they took."""
        self._seconds.observe(seconds)
        self._rows.observe(rows)
        for label, count in (Tally(labels) if labels else {"": rows}).items():
            self._predictions.labels(label).inc(count)

    def text(self, experiment: Mapping[str, float]) -> bytes:
        """Give all metrics as Prometheus reads them, with what `Arms.counts` gives."""
        self._experiment.clear()
        for name, value in experiment.items():
            self._experiment.labels(name).set(value)
        return generate_latest(self._registry)


class JsonLines(logging.Formatter):
    """One JSON object a line; what is passed as `extra={"fields": {...}}` becomes keys of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_json() -> None:
    """Send all logs of this process, warnings included, to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.captureWarnings(True)
