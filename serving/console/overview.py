"""What the console shows besides ``/admin/status``: metrics of all workers, and the running experiment's groups."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client.metrics_core import Metric

import ranker
from serving.console.reports import newest
from serving.console.sample_ratio import sample_ratio
from serving.console.samples import samples
from serving.observability.metrics import Metrics
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState, State
from serving.settings import Settings


class Overview:
    """Reads everything anew for each answer, so that an unopened console costs nothing."""

    def __init__(self, settings: Settings, models: ModelRegistry, shared: SharedState, metrics: Metrics) -> None:
        self._settings, self._models, self._shared, self._metrics = settings, models, shared, metrics

    def facts(self) -> dict[str, Any]:
        """The metrics by name, the experiment's groups, and the newest report of an experiment."""
        state, families = self._shared.state(), self._metrics.families()
        return {
            "release": ranker.__version__,
            "time": datetime.now(UTC).isoformat(),
            "started": state.started.isoformat() if state else None,
            "workers": self._settings.workers,
            "metrics": samples(families),
            "experiment": self._experiment(state, families),
            "report": newest(self._settings.console_reports),
        }

    def _experiment(self, state: State | None, families: Sequence[Metric]) -> dict[str, Any] | None:
        """The groups, their requests since the experiment was loaded, and whether these fit the shares."""
        experiment = self._models.served.experiment
        if experiment is None or state is None:
            return None
        before, total = state.begun.requests, self._metrics.requests_by_group(families)
        counts = {name: total.get(name, 0.0) - before.get(name, 0.0) for name in experiment.groups}
        ratio = sample_ratio(counts, {name: group.share for name, group in experiment.groups.items()})
        return {
            "name": experiment.name,
            "since": state.begun.time.isoformat(),
            "unit": experiment.unit or f"header {experiment.header}",
            "coverage": experiment.coverage,
            "groups": {
                name: {
                    "share": group.share,
                    "model": group.model or self._models.default,
                    "fusion": None if group.fusion is None else group.fusion.model_dump(exclude_none=True),
                    "requests": counts[name],
                    "expected": ratio.expected[name],
                }
                for name, group in experiment.groups.items()
            },
            "ratio": {"p_value": ratio.p_value, "statistic": ratio.statistic, "mismatch": ratio.mismatch},
        }
