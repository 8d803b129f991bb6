"""Metrics as JSON: the samples that ``/metrics`` has, with each histogram in one piece."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.metrics_core import Metric

Samples = dict[str, list[dict[str, Any]]]
PREFIXES = ("ranker_", "process_")


def samples(families: Iterable[Metric]) -> Samples:
    """Samples by metric name, each with ``labels`` and ``value``.

    A histogram's sample has ``buckets`` instead, pairs of the upper bound (``None`` for infinity) and the count up to
    it, and ``sum`` and ``count``.
    """
    found: Samples = {}
    for family in families:
        if not family.name.startswith(PREFIXES):
            continue
        if family.type == "histogram":
            found[family.name] = _histograms(family)
            continue
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found.setdefault(sample.name, []).append({"labels": dict(sample.labels), "value": sample.value})
    return found


def _histograms(family: Metric) -> list[dict[str, Any]]:
    by_labels: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        whole = by_labels.setdefault(tuple(sorted(labels.items())), {"labels": labels, "buckets": []})
        part = sample.name.removeprefix(f"{family.name}_")
        if part == "bucket":
            bound = float(sample.labels["le"])
            whole["buckets"].append((None if bound == float("inf") else bound, sample.value))
        elif part in ("sum", "count"):
            whole[part] = sample.value
    for whole in by_labels.values():
        whole["buckets"].sort(key=lambda pair: float("inf") if pair[0] is None else pair[0])
    return list(by_labels.values())
