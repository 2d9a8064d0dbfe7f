"""What was counted, as Prometheus reads it: text form 0.0.4."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from .slots import Counted, added

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HELP = {
    "mergeline_requests_in_flight": "Requests that wait for their answer.",
    "mergeline_ready": "1 when new requests are welcome, 0 while draining.",
    "mergeline_serving": "What is served.",
    "mergeline_requests": "Answers by route and status.",
    "mergeline_errors": "Requests without the answer that was asked for, by kind.",
    "mergeline_prediction_log_rows": "Predicted rows that are in the prediction log.",
    "mergeline_prediction_log_dropped_rows": "Predicted rows that the prediction log dropped, by reason.",
    "mergeline_predict_seconds": "Time to answer a request for predictions, from its whole body on.",
    "mergeline_predict_rows": "Rows of a request for predictions.",
    "mergeline_stage_seconds": "Time of a part of answering a request for predictions.",
    "mergeline_predictions": "Predicted rows by label; the label of a regression is empty.",
    "mergeline_missing_values": "Missing values by raw column.",
    "mergeline_unknown_values": "Texts that the model was not fitted on, by raw column.",
    "mergeline_predict_score": "Scores: of two classes the second's probability, of a regression the value.",
}
# An answer of zero is worth its line only where a rate needs to begin.
SPARSE = frozenset({"mergeline_requests", "mergeline_errors"})


class Counts(Collector):
    """Gives the families of what was counted."""

    def __init__(self, counted: Sequence[Counted]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Give every family once, with all of its series."""
        families: dict[str, Metric] = {}
        for one in self._counted:
            name, labels = one.series.name, one.series.labels
            if name in (*SPARSE, "mergeline_serving") and not one.values[0]:
                continue
            if name not in families:
                families[name] = _family(one)
            family, values = families[name], list(labels.values())
            if isinstance(family, HistogramMetricFamily):
                ends = [*map(floatToGoString, one.series.edges or ()), "+Inf"]
                family.add_metric(
                    values, list(zip(ends, accumulate(one.values[:-1]), strict=True)), sum_value=one.values[-1]
                )
            elif isinstance(family, InfoMetricFamily):
                family.add_metric([], labels)
            elif isinstance(family, CounterMetricFamily | GaugeMetricFamily):
                family.add_metric(values, min(one.values[0], 1.0) if name == "mergeline_ready" else one.values[0])
        yield from families.values()


class Processes(Collector):
    """Gives memory, CPU and descriptors of each worker; the label `worker` is its pid."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """Give every family once, with a sample per worker."""
        families: dict[str, Metric] = {}
        for pid in self._pids:
            for found in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                for sample in found.samples:
                    family.add_sample(sample.name, sample.labels | {"worker": str(pid)}, sample.value)
        yield from families.values()


def _family(one: Counted) -> Metric:
    name, labels = one.series.name, list(one.series.labels)
    if one.series.edges is not None:
        return HistogramMetricFamily(name, HELP[name], labels=labels)
    if name == "mergeline_serving":
        return InfoMetricFamily(name, HELP[name])
    kind = GaugeMetricFamily if name in ("mergeline_ready", "mergeline_requests_in_flight") else CounterMetricFamily
    return kind(name, HELP[name], labels=labels)


class Experiment(Collector):
    """Gives what one worker counted of an experiment since it was loaded."""

    def __init__(self, counts: Mapping[str, float]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Give one gauge, with a sample per count."""
        family = GaugeMetricFamily(
            "mergeline_experiment",
            "What this worker counted of the experiment since it was loaded; unavailable: 1 when it could not be.",
            labels=["count", "worker"],
        )
        for name, value in self._counts.items():
            family.add_metric([name, str(os.getpid())], value)
        if self._counts:
            yield family


def text(pids: Iterable[int], counted: Sequence[Counted], experiment: Mapping[str, float]) -> bytes:
    """Give all as text; a series that several workers have is added up."""
    registry = CollectorRegistry()
    registry.register(Experiment(experiment))
    registry.register(Counts(added(counted)))
    registry.register(Processes(pids))
    return generate_latest(registry)
