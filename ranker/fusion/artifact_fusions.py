"""The fusions of one model: a default one, and others by name."""

from ranker.fusion.options import StoredFusion
from ranker.fusion.plan import Plan, build_plan
from ranker.schema import Schema

DEFAULT = "default"
"""Name of the fusion that ranks where a request names none."""


def plan_for(schema: Schema, stored: StoredFusion) -> Plan:
    """Build a fusion of a schema's tasks, which may read its features of one value a row.

    Raises ``FusionError`` for anything that does not fit, beginning with its path in the fusion.
    """
    objectives = {name: task.kind for name, task in schema.tasks.items()}
    return build_plan(stored.options, objectives, single_valued(schema), stored.state)


def single_valued(schema: Schema) -> tuple[str, ...]:
    """Names of the features of one value: those that a fusion may read."""
    return tuple(name for name, feature in schema.features.items() if feature.single_valued)
