"""What ``GET /model`` and ``GET /models`` say."""

from typing import Any

from ranker.fusion import Plan
from serving.protocol.column_types import UNIT, Expected
from serving.protocol.formats import READERS, WRITERS
from serving.ranking.ranker import Ranker
from serving.registry.snapshot import Snapshot


def overview(served: Snapshot) -> dict[str, Any]:
    """All models in short, the default one's name, and the experiment's groups."""
    experiment = served.experiment
    return {
        "default": served.default,
        "models": {name: _in_short(ranker) for name, ranker in served.rankers.items()},
        "experiment": experiment and experiment.model_dump(mode="json", exclude_none=True),
    }


def facts(served: Snapshot, name: str) -> dict[str, Any]:
    """Of one model: version, tasks, schema, columns of requests, metrics, fusions and their parameters' bounds."""
    ranker = served.rankers[name]
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
        "fusions": {name: _described(plan) for name, plan in ranker.choices().items()},
        "packages": manifest.packages,
    }


def _field(kind: Expected) -> dict[str, Any]:
    """What a request's column holds: a value's JSON Schema, whether lists of them, the unit, whether it is required."""
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
        "tasks": list(manifest.tasks),
        "fusions": list(ranker.choices()),
        "formats": {"requests": list(READERS), "answers": list(WRITERS)},
        "items": None if ranker.items is None else len(ranker.items),
        "users": ranker.by_user,
    }


def _described(plan: Plan) -> dict[str, Any]:
    """A fusion's formula, its parameters with values and bounds, and the steps around it."""
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
    }
