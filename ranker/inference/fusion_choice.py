"""A caller's choice of a fusion: by name, with other parameters, steps or exploration."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from ranker.fusion import FusionError, Plan
from ranker.fusion.build import Given
from ranker.fusion.checks import require_known

Rerank: TypeAlias = bool | Mapping[str, Any]
"""Whether to re-rank, or by step whether to run it, or its parameters."""
Explore: TypeAlias = bool | Mapping[str, Any]
"""Whether to explore, or parameters of exploration."""


class FusionParts(NamedTuple):
    """What a caller may choose of a fusion; ``None`` leaves it as it is."""

    name: str | None = None
    parameters: Given | None = None
    rerank: Rerank | None = None
    explore: Explore | None = None


def parts(fusion: str | Mapping[str, Any] | None) -> FusionParts:
    """The parts of a choice that is a name or an object. Raises ``FusionError`` for an unknown key."""
    if fusion is None or isinstance(fusion, str):
        return FusionParts(fusion)
    if not isinstance(fusion, Mapping):
        raise FusionError(f"fusion: must be a name or a dict of {', '.join(FusionParts._fields)}, got {fusion!r}")
    for key in fusion:
        require_known(key, list(FusionParts._fields), f"fusion: unknown key {key!r}")
    return FusionParts(**fusion)


def facts(name: str, plan: Plan) -> dict[str, Any]:
    """Describe a fusion: its name in requests, formula, all parameters, and re-ranking and exploration if any."""
    steps = {step: options.facts for step, options in plan.options.rerank.items()}
    explore = plan.options.explore
    return {
        "name": name,
        "formula": plan.fusion.name,
        "parameters": plan.fusion.values,
        **({"rerank": steps} if steps else {}),
        **({} if explore is None else {"explore": explore.facts}),
    }
