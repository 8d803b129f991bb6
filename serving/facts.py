"""What ``GET /model`` says."""

from typing import Any

from ranker.fusion import Plan
from serving.formats import READERS, WRITERS
from serving.rank import Ranker


def facts(ranker: Ranker) -> dict[str, Any]:
    """Version, tasks, schema, metrics, fusions and their parameters' bounds, formats, how many items there are."""
    manifest = ranker.artifact.manifest
    return {
        "version": manifest.version,
        "created": manifest.created.isoformat(),
        "tasks": list(manifest.tasks),
        "schema": manifest.log_schema.model_dump(mode="json"),
        "metrics": manifest.metrics,
        "fusions": {name: _described(plan) for name, plan in ranker.choices().items()},
        "formats": {"requests": list(READERS), "answers": list(WRITERS)},
        "items": None if ranker.items is None else len(ranker.items),
        "users": ranker.by_user,
        "packages": manifest.packages,
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
