"""Bodies of ``GET /model`` and ``GET /models``."""

from typing import Any

from ranker.fusion import Plan
from ranker.fusion.exploration import Exploration
from ranker.fusion.reranking import Step
from serving.protocol.column_types import UNIT, Expected
from serving.protocol.formats import READERS, WRITERS
from serving.ranking.ranker import Ranker
from serving.registry.snapshot import Snapshot


def overview(served: Snapshot) -> dict[str, Any]:
    """A summary of every model, the default's name, and the experiment with its groups."""
    experiment = served.experiment
    return {
        "default": served.default,
        "models": {name: _in_short(ranker) for name, ranker in served.rankers.items()},
        "experiment": experiment and experiment.model_dump(mode="json", exclude_none=True),
    }


def facts(ranker: Ranker, name: str) -> dict[str, Any]:
    """One model's version, tasks, schema, request columns, metrics, tables, and fusions with parameter bounds.

    ``list_sizes`` has the median and the 99th percentile of the lists in training, if inputs are relative to them.
    """
    manifest = ranker.artifact.manifest
    return {
        "name": name,
        **_in_short(ranker),
        "schema": manifest.log_schema.model_dump(mode="json"),
        "requests": {
            "context": {name: _field(kind) for name, kind in ranker.checker.context_columns.items()},
            "candidates": {name: _field(kind) for name, kind in ranker.checker.columns.items()},
        },
        "metrics": manifest.metrics,
        "list_sizes": None if (sizes := ranker.artifact.encoder.list_sizes) is None else sizes._asdict(),
        "tables": ranker.tables,
        "fusions": {name: _described(plan) for name, plan in ranker.choices().items()},
        "packages": manifest.packages,
    }


def _field(kind: Expected) -> dict[str, Any]:
    """A request column: JSON Schema of a value, whether it holds lists, its unit, and whether it is required."""
    return {
        "type": kind.json(),
        "list": kind.listed,
        "unit": UNIT if kind.temporal else None,
        "required": kind.required,
    }


def _in_short(ranker: Ranker) -> dict[str, Any]:
    manifest = ranker.artifact.manifest
    return {
        "version": manifest.version,
        "created": manifest.created.isoformat(),
        "engine": ranker.engine,
        "cascade": ranker.cascade(),
        "scorer": ranker.by_scorer,
        "precision": ranker.precision,
        "agreement": None if ranker.agreement is None else ranker.agreement.facts(),
        "tasks": list(manifest.tasks),
        "fusions": list(ranker.choices()),
        "formats": {"requests": list(READERS), "answers": list(WRITERS)},
        "items": None if ranker.items is None else len(ranker.items),
        "users": ranker.by_user,
    }


def _described(plan: Plan) -> dict[str, Any]:
    """A fusion's steps, and the parameters of its formula, re-ranking and exploration with their bounds."""
    values = plan.fusion.values
    return {
        "formula": plan.fusion.name,
        "parameters": {
            parameter.name: {
                "value": values[parameter.name],
                "low": parameter.low,
                "high": parameter.high,
                "integer": parameter.integer,
                "per_objective": parameter.per_objective,
                "description": parameter.description,
            }
            for parameter in plan.fusion.formula.parameters
        },
        "options": plan.options.options,
        "calibration": plan.options.calibration,
        "normalisation": plan.options.normalisation,
        "rules": {name: rule.model_dump(mode="json") for name, rule in plan.options.rules.items()},
        "rerank": {name: _step(step) for name, step in plan.options.rerank.items()},
        "explore": None if plan.options.explore is None else _step(plan.options.explore),
    }


def _step(step: Step | Exploration) -> dict[str, Any]:
    """The config of a re-ranking step or of exploration, and its parameters with bounds."""
    bounds = {
        parameter.name: {
            "low": parameter.low,
            "high": parameter.high,
            "integer": parameter.integer,
            "description": parameter.description,
        }
        for parameter in step.parameters
    }
    return {**step.model_dump(mode="json"), "parameters": bounds}
