"""What ``GET /model`` says."""

from typing import Any

from ranker.artifact import Artifact
from ranker.fusion import FUSIONS


def facts(artifact: Artifact) -> dict[str, Any]:
    """Version, tasks, schema, validation metrics, fusions and their parameters' bounds."""
    manifest = artifact.manifest
    return {
        "version": manifest.version,
        "created": manifest.created.isoformat(),
        "tasks": list(manifest.tasks),
        "schema": manifest.log_schema.model_dump(mode="json"),
        "metrics": manifest.metrics,
        "fusion": artifact.fusion.fusion.to_dict(),
        "fusions": _fusions(),
        "packages": manifest.packages,
    }


def _fusions() -> dict[str, Any]:
    return {
        name: {
            parameter.name: {
                "default": parameter.default,
                "low": parameter.low,
                "high": parameter.high,
                "per_objective": parameter.per_objective,
                "description": parameter.description,
            }
            for parameter in formula.parameters
        }
        for name, formula in FUSIONS.items()
    }
