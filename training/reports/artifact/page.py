"""The report of an artifact."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import yaml

from ranker.artifact import Artifact
from ranker.fusion import DEFAULT, Plan
from ranker.metrics import METRICS, in_lists, title_of
from ranker.schema import Schema
from training.display import with_interval
from training.evaluation import by_feature, classes
from training.evaluation.pareto_front import non_dominated
from training.export.fit_fusions import cross_validation_lines
from training.export.report_data import ReportData
from training.reports import Page, add_curves, add_gates, add_quality, front, parallel
from training.reports.artifact.cascade import add_cascade
from training.reports.artifact.exploration import add_exploration
from training.reports.artifact.playground import add_playground
from training.reports.artifact.reranking import add_reranking
from training.reports.artifact.trade_off import SETS, Point, measures, points
from training.reports.calibration import add_calibration
from training.reports.position import add_position


def to_html(artifact: Artifact, data: ReportData | None, sets: int = SETS) -> str:
    """Metrics, calibration, training curves, fusion trade-offs and sliders, as a self-contained page."""
    manifest, schema = artifact.manifest, artifact.schema
    page = Page(f"Artifact {manifest.version}")
    page.text(f"{artifact.folder.resolve().name}, exported {manifest.created:%Y-%m-%d %H:%M} UTC.")
    page.heading("Quality by objective").text("On the validation rows; ± is half the 95 % bootstrap interval.")
    if manifest.refit is not None:
        page.note(f"{manifest.refit}. So are all scores of validation rows on this page.")
    page.table(*_metrics(manifest.metrics))
    for task, of_classes in manifest.metrics.get(classes.KEY, {}).items():
        _add_classes(page, task, of_classes)
    if by_feature.KEY in manifest.metrics:
        found = manifest.metrics[by_feature.KEY]
        page.heading(f"Quality by {found['feature']}").text("On the validation rows, in groups of equal frequency.")
        page.table(*by_feature.table(found))
    if data is not None:
        add_quality(page, data.history)
        page.heading("Calibration").text(
            "Mean label against mean score in equal-count bins. Calibrated scores are fitted on other rows than shown."
        )
        methods = {(task, artifact.fusion.options.calibration.get(task)) for task in schema.tasks}
        add_calibration(page, schema, sorted(methods, key=lambda pair: list(schema.tasks).index(pair[0])), data.rows)
        page.heading("Try fusion parameters").text(
            f"Requests from the validation rows ({_requests(data)}), ranked in this page. Change a parameter to "
            "see the ranking change. Green next to a score is the logged outcome: ✓, or an amount."
        )
        add_playground(page, schema, artifact.fusions, data)
        _add_trade_off(page, schema, artifact.fusions, data, sets)
        add_reranking(page, schema, artifact.fusions, data)
        add_exploration(page, schema, artifact.fusions, data)
        if len(data.curves) > 1:
            page.heading("Balancing").text("Means over windows of steps. Cosines below 0 mean conflicting gradients.")
            add_curves(page, data.curves)
    else:
        page.note("The artifact was exported without a sample of its validation rows; export it again to see more.")
    if (position := manifest.metrics.get("position")) is not None:
        add_position(page, position)
    add_cascade(page, artifact)
    if manifest.gates.get("gates"):
        page.heading("Gates")
        add_gates(page, manifest.gates)
    page.heading("Config")
    page.code(yaml.safe_dump(_without_empty(manifest.experiment), sort_keys=False))
    return page.html()


def _add_classes(page: Page, task: str, found: Mapping[str, Any]) -> None:
    log_loss, macro = (f"{found[name]:.4f}" if found[name] is not None else "-" for name in ("log_loss", "macro_auc"))
    page.heading(f"Classes of {task}").text(
        f"Log loss {log_loss}, mean AUC {macro} on {found['rows']:,} validation rows: the number of rows by class and "
        "by the most probable class."
    )
    page.table(*classes.confusion_table(found))


def _requests(data: ReportData) -> str:
    return f"rows of one {data.grouped_by}" if data.grouped_by else "20 consecutive rows, as there is no group column"


def _metrics(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    tasks = metrics["tasks"]
    names = [name for name in METRICS if any(report.get(name) is not None for report in tasks.values())]
    names += dict.fromkeys(key for report in tasks.values() for key in in_lists(report))
    lines = [
        [task, *(with_interval(report, name, " ", "-") for name in names), f"{report['rows']:,}"]
        for task, report in tasks.items()
    ]
    return ["objective", *(title_of(name) for name in names), "rows"], lines


def _add_trade_off(page: Page, schema: Schema, plans: Mapping[str, Plan], data: ReportData, sets: int) -> None:
    tried = points(schema, plans, data, DEFAULT, sets)
    objectives = list(tried[0].quality)
    page.heading("Fusion trade-offs").text(
        f"How well the fused score orders each objective's label on {len(data.rows.scores):,} validation rows, for the "
        f"artifact's default fusion (picked), its other fusions, and {len(tried) - len(plans)} random parameter sets "
        f"around the default's ({plans[DEFAULT].fusion.name}). Up and to the right is better. Grey sets are dominated; "
        "lines join the sets that are non-dominated in the two objectives shown."
    )
    for text in cross_validation_lines(plans):
        page.note(f"Fusions learned on these rows look too good on this page. Without this bias: {text}.")
    missing = [name for name in measures(schema).values() if name not in objectives]
    if missing:
        page.note(f"Not shown, because all labels in the sample are equal: {', '.join(missing)}.")
    pairs = [(_pair(tried, x, y), x, y) for x, y in combinations(objectives, 2)]
    kinds = list(dict.fromkeys(str(record["kind"]) for records, _, _ in pairs for record in records))
    if pairs:
        page.legend(kinds)
    page.beside([front(records, x, y, "setting", "kind", names=kinds) for records, x, y in pairs])
    if len(objectives) > 1:
        page.text("One line per parameter set; 0 is the worst of all sets, 1 the best.")
        page.chart(parallel(_lines(tried, objectives), axis="objective", value="better", label="setting"))
    headers = ["fusion", "formula", *objectives]
    page.table(
        headers,
        [
            [name, plan.fusion.name, *(f"{point.quality[o]:.4f}" for o in objectives)]
            for (name, plan), point in zip(plans.items(), tried, strict=False)
        ],
    )


def _pair(tried: Sequence[Point], x: str, y: str) -> list[dict[str, Any]]:
    best = non_dominated(np.array([[point.quality[x], point.quality[y]] for point in tried]))
    order = sorted(np.flatnonzero(best).tolist(), key=lambda i: tried[i].quality[x])
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
        for i, point in enumerate(tried)
    ]


def _lines(tried: Sequence[Point], objectives: Sequence[str]) -> list[dict[str, Any]]:
    spans = {o: (min(p.quality[o] for p in tried), max(p.quality[o] for p in tried)) for o in objectives}
    return [
        {
            "setting": point.name,
            "standing": point.standing,
            "objective": o,
            "better": (point.quality[o] - spans[o][0]) / ((spans[o][1] - spans[o][0]) or 1.0),
        }
        for point in tried
        for o in objectives
    ]


def _without_empty(experiment: Mapping[str, Any]) -> Any:
    """The config without empty values."""
    if isinstance(experiment, Mapping):
        return {key: _without_empty(value) for key, value in experiment.items() if value not in (None, {}, [])}
    return experiment
