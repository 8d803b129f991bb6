"""The page of an artifact."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import yaml

from ranker.artifact import Artifact
from ranker.fusion import DEFAULT, Plan
from ranker.metrics import METRICS
from ranker.schema import Schema
from training.display import with_interval
from training.evaluation.pareto_front import non_dominated
from training.export.fit_fusions import learnt
from training.export.report_data import Kept
from training.reports import Page, add_curves, add_gates, add_quality, front, parallel
from training.reports.artifact.playground import add_live
from training.reports.artifact.trade_off import SETS, Point, measures, points
from training.reports.calibration import add_calibration


def to_html(artifact: Artifact, kept: Kept | None, sets: int = SETS) -> str:
    """Metrics, calibration, training, the fusion's trade-off, and a fusion that moves: one page, no network."""
    manifest, schema = artifact.manifest, artifact.schema
    page = Page(f"Artifact {manifest.version}")
    page.text(f"{artifact.folder.resolve().name}, exported {manifest.created:%Y-%m-%d %H:%M} UTC.")
    page.heading("Quality by objective").text("On the validation rows; ± is half of the 95 % bootstrap interval.")
    page.table(*_metrics(manifest.metrics))
    if kept is not None:
        add_quality(page, kept.history)
        page.heading("Calibration").text(
            "Rows in bins of equally many, by score. What is shown as calibrated was calibrated by other rows."
        )
        methods = {(task, artifact.fusion.options.calibration.get(task)) for task in schema.tasks}
        add_calibration(page, schema, sorted(methods, key=lambda pair: list(schema.tasks).index(pair[0])), kept.rows)
        page.heading("Move the fusion").text(
            f"Real requests of the validation rows ({_requests(kept)}), ranked in this page. Move a parameter and see "
            "who rises. Green beside a score is what happened when the candidate was shown: ✓, or an amount."
        )
        add_live(page, schema, artifact.fusions, kept)
        _add_trade_off(page, schema, artifact.fusions, kept, sets)
        if len(kept.curves) > 1:
            page.heading("Balancing").text("Means over windows of steps. Cosines below 0 are gradients in conflict.")
            add_curves(page, kept.curves)
    else:
        page.note("The artifact was exported without a sample of its validation rows; export it again to see more.")
    if manifest.gates.get("gates"):
        page.heading("Gates")
        add_gates(page, manifest.gates)
    page.heading("Config")
    page.code(yaml.safe_dump(_stated(manifest.experiment), sort_keys=False))
    return page.html()


def _requests(kept: Kept) -> str:
    return f"rows of one {kept.grouped_by}" if kept.grouped_by else "20 rows in a row, as nothing says more"


def _metrics(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    tasks = metrics["tasks"]
    names = [name for name in METRICS if any(report.get(name) is not None for report in tasks.values())]
    lines = [
        [task, *(with_interval(report, name, " ", "-") for name in names), f"{report['rows']:,}"]
        for task, report in tasks.items()
    ]
    return ["objective", *(METRICS[name].title for name in names), "rows"], lines


def _add_trade_off(page: Page, schema: Schema, plans: Mapping[str, Plan], kept: Kept, sets: int) -> None:
    found = points(schema, plans, kept, DEFAULT, sets)
    objectives = list(found[0].quality)
    page.heading("What the fusion trades").text(
        f"How well the fused score orders each objective's label on {len(kept.rows.scores):,} validation rows: of the "
        f"artifact's fusion (picked), of its others, and of {len(found) - len(plans)} random parameter sets around the "
        f"artifact's ({plans[DEFAULT].fusion.name}). Up and to the right is better. Grey sets are beaten in every "
        "objective by another; lines join what is best of two objectives alone."
    )
    for text in learnt(plans):
        page.note(f"What is learnt was fitted to these very rows, so the page shows it too good. Held out: {text}.")
    missing = [name for name in measures(schema).values() if name not in objectives]
    if missing:
        page.note(f"Not shown, as all labels of the sample are alike: {', '.join(missing)}.")
    pairs = [(_pair(found, x, y), x, y) for x, y in combinations(objectives, 2)]
    kinds = list(dict.fromkeys(str(record["kind"]) for records, _, _ in pairs for record in records))
    if pairs:
        page.legend(kinds)
    page.beside([front(records, x, y, "setting", "kind", names=kinds) for records, x, y in pairs])
    if len(objectives) > 1:
        page.text("A line a set; 0 is the worst of all sets, 1 the best.")
        page.chart(parallel(_lines(found, objectives), axis="objective", value="better", label="setting"))
    heads = ["fusion", "formula", *objectives]
    page.table(
        heads,
        [
            [name, plan.fusion.name, *(f"{point.quality[o]:.4f}" for o in objectives)]
            for (name, plan), point in zip(plans.items(), found, strict=False)
        ],
    )


def _pair(found: Sequence[Point], x: str, y: str) -> list[dict[str, Any]]:
    best = non_dominated(np.array([[point.quality[x], point.quality[y]] for point in found]))
    order = sorted(np.flatnonzero(best).tolist(), key=lambda i: found[i].quality[x])
    steps = {i: step for step, i in enumerate(order)}
    return [
        {
            "setting": point.name,
            "kind": "parameter sets" if point.name.startswith("set ") else point.name,
            "standing": point.standing,
            x: point.quality[x],
            y: point.quality[y],
            "step": steps.get(i),
        }
        for i, point in enumerate(found)
    ]


def _lines(found: Sequence[Point], objectives: Sequence[str]) -> list[dict[str, Any]]:
    spans = {o: (min(p.quality[o] for p in found), max(p.quality[o] for p in found)) for o in objectives}
    return [
        {
            "setting": point.name,
            "standing": point.standing,
            "objective": o,
            "better": (point.quality[o] - spans[o][0]) / ((spans[o][1] - spans[o][0]) or 1.0),
        }
        for point in found
        for o in objectives
    ]


def _stated(experiment: Mapping[str, Any]) -> Any:
    """The config without what is empty."""
    if isinstance(experiment, Mapping):
        return {key: _stated(value) for key, value in experiment.items() if value not in (None, {}, [])}
    return experiment
