"""A custom fusion formula in text, over objectives, features and declared parameters."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed, Name
from ranker.expressions import parse
from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import LocatedError
from ranker.fusion.formula import FUSIONS, Formula, FormulaOptions, State

LARGEST = 1e300
"""Results are clipped to this magnitude."""

LAST = -LARGEST
"""Replaces an unknown result, as SQL's ``NULLS LAST``."""


class Declared(Closed):
    """A parameter of a text formula."""

    default: float = Field(description="Value if neither config nor request sets it.")
    low: float = Field(description="Lower bound.")
    high: float = Field(description="Upper bound.")
    integer: bool = Field(False, description="Whether values must be integers.")
    description: str = Field("", description="One sentence for users.")


@FUSIONS.register("expression")
class TextFormula(Formula):
    """A formula such as ``click**a * (1 + b*like) + c*log1p(watch_time)``, by ``ranker.expressions``.

    Names are objectives, declared parameters, and numeric features of the candidate or context. A missing value makes
    the result missing unless the formula replaces it, as ``coalesce(duration_s, 30)`` does; a candidate whose result is
    missing or not a number ranks last.
    """

    class Options(FormulaOptions):
        """The formula and its parameters."""

        formula: str = Field(description="Formula of the ranking score, higher first.")
        parameters: dict[Name, Declared] = Field(default_factory=dict, description="The formula's parameters, by name.")

        @field_validator("formula")
        @classmethod
        def _parsed(cls, text: str) -> str:
            parse(text)
            return text

        @model_validator(mode="after")
        def _checked(self) -> Self:
            names = parse(self.formula).names
            for parameter in self.declared():
                if parameter.name not in names:
                    raise ValueError(f"parameter {parameter.name!r} is not in the formula {self.formula!r}")
            return self

        def declared(self) -> tuple[Parameter, ...]:
            """The declared parameters as ``Parameter``. Raises ``FusionError`` for invalid bounds."""
            return tuple(
                Parameter(
                    name=name,
                    default=option.default,
                    low=option.low,
                    high=option.high,
                    per_objective=False,
                    integer=option.integer,
                    description=option.description or f"{name} of the formula.",
                )
                for name, option in self.parameters.items()
            )

    options: Options
    direction = None
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {}

    def __init__(
        self, objectives: tuple[str, ...], options: FormulaOptions | None = None, state: State | None = None
    ) -> None:
        if options is None:
            raise LocatedError("formula: is required")
        super().__init__(objectives, options, state)
        self.parameters = self.options.declared()
        self._expression = parse(self.options.formula)
        declared = {parameter.name for parameter in self.parameters}
        self.features = tuple(name for name in self._expression.names if name not in {*declared, *objectives})
        for name in sorted(declared & set(objectives)):
            raise LocatedError(f"parameters.{name}: {name!r} is the name of an objective")
        for name in sorted(self._expression.texts):
            raise LocatedError(f"formula: compares {name!r} with text, which is allowed only in rules")
        if not set(objectives) & set(self._expression.names):
            raise LocatedError(f"formula: {self.options.formula!r} reads no objective (known: {', '.join(objectives)})")

    def prepare(self, candidates: Candidates) -> Floats:
        """Scores and features of the formula [N, T + features]."""
        columns = [candidates.numbers(name)[:, None] for name in self.features]
        return np.concatenate([candidates.scores, *columns], axis=1)

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Scores and features [N, T + features], parameters [...] -> fused scores [..., N], finite."""
        read = dict(zip([*self.objectives, *self.features], prepared.T, strict=True))
        given = {name: np.asarray(value)[..., None] for name, value in parameters.items()}
        shape = np.broadcast_shapes((len(prepared),), *(value.shape for value in given.values()))
        value = np.broadcast_to(self._expression.evaluate({**read, **given}), shape)
        return np.nan_to_num(value, nan=LAST, posinf=LARGEST, neginf=LAST).clip(LAST, LARGEST)
