"""The fusions of one model: a default, and others by name."""

from ranker.fusion.options import StoredFusion
from ranker.fusion.plan import Plan, build_plan
from ranker.schema import Schema

DEFAULT = "default"
"""Name of the fusion for requests that name none."""


def plan_for(schema: Schema, stored: StoredFusion) -> Plan:
    """Build a fusion of a schema's tasks; it may read single-valued features, and re-ranking those that compare.

    Raises ``FusionError`` for an invalid fusion; the message begins with the path.
    """
    objectives = {name: task.kind for name, task in schema.tasks.items()}
    compared = {name: kind.compared_as for name, kind in schema.candidate.items() if kind.compared_as is not None}
    return build_plan(
        stored.options,
        objectives,
        single_valued(schema),
        stored.state,
        compared=compared,
        candidate_id=schema.candidate_id,
    )


def single_valued(schema: Schema) -> tuple[str, ...]:
    """Names of single-valued features, which fusions may read."""
    return tuple(name for name, feature in schema.features.items() if feature.single_valued)
