"""Base class of fusion formulas: a per-request step without parameters, and a per-candidate step with them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from ranker.config.closed import Closed
from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.registry import Registry

BLOCK = 65_536
"""Fused scores per block of ``Formula.sweep``: 512 KB, and as much for each step of a formula."""

Attribution = Literal["leave_one_out", "shapley"]
"""How explanations attribute the score: the difference without the objective, or its Shapley value."""

State: TypeAlias = Mapping[str, Any]
"""Fitted state as JSON data, as stored in artifacts."""


class FormulaOptions(Closed):
    """Options of a formula besides its parameters; most have none."""


class Formula(ABC):
    """Combines the scores of T objectives into one ranking score.

    ``fuse`` is ``combine(prepare(candidates), parameters)``. ``prepare`` sees whole requests but no parameters;
    ``combine`` sees parameters and treats each candidate independently. A search therefore prepares a log once,
    including ranks within requests, and combines it with all parameter sets in one call of ``sweep``.

    Attributes
    ----------
    Options
        Options besides the parameters.
    parameters
        Parameters that a config may set and a search may vary.
    direction
        The per-objective parameter whose sign says whether an objective counts for a candidate (a higher score never
        lowers the fused score) or against it; ``None`` if there is none.
    invariant_to
        Changes of scores that do not change the ranking, each with the parameter values that it requires (none: holds
        for all). Changes not listed do change the ranking.
    attribution
        How explanations attribute the fused score to objectives.
    fitted
        Whether the formula needs fitted state.
    features
        Names of features that it reads.
    columns
        Numeric log columns that ``fit`` reads besides scores and features: those of a label's formula.
    keys
        Id columns of the log that ``fit`` reads for grouping, such as the request.
    """

    Options: ClassVar[type[FormulaOptions]] = FormulaOptions
    parameters: tuple[Parameter, ...] = ()
    direction: ClassVar[str | None]
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]]
    attribution: ClassVar[Attribution] = "leave_one_out"
    fitted: ClassVar[bool] = False
    features: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __init__(
        self, objectives: tuple[str, ...], options: FormulaOptions | None = None, state: State | None = None
    ) -> None:
        self.objectives = objectives
        self.options = self.Options() if options is None else options
        self.state = state

    @classmethod
    def stands_alone(cls) -> bool:
        """Whether the formula needs only parameters, so that a request can name it directly."""
        return not cls.fitted and not any(field.is_required() for field in cls.Options.model_fields.values())

    def fit(self, candidates: Candidates, log: Mapping[str, Any]) -> State:  # noqa: ARG002
        """Fit the formula's state to a reference population; empty for most.

        ``log`` has the raw values of ``columns`` and ``keys``, [N] each. Raises ``FusionError`` if fitting fails.
        """
        return {}

    def prepare(self, candidates: Candidates) -> Floats:
        """Return the input of ``combine``: [N, T or more], objectives' columns first."""
        return candidates.scores

    @abstractmethod
    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Fused scores [..., N], higher is better, of prepared candidates [N, T or more].

        ``parameters`` has an unchecked array [..., T] per per-objective parameter and [...] per other parameter: one
        set with [T] and [] gives [N], P sets with [P, T] and [P] give [P, N].
        """

    def sweep(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Iterator[tuple[slice, Floats]]:
        """Fuse with P parameter sets ([P, T] or [P] each) in blocks; yield the slice of sets and their scores [., N].

        Same numbers as ``combine``, without memory for [P, N], in blocks that fit the processor's cache.
        """
        sets, candidates = len(next(iter(parameters.values()))), len(prepared)
        wide = min(max(candidates, 1), BLOCK)
        tall = BLOCK // wide
        for p in range(0, sets, tall):
            chosen = slice(p, min(p + tall, sets))
            block = {name: values[chosen] for name, values in parameters.items()}
            parts = [self.combine(prepared[n : n + wide], block) for n in range(0, max(candidates, 1), wide)]
            yield chosen, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def fuse(self, candidates: Candidates, parameters: Mapping[str, Floats]) -> Floats:
        """Fused scores [..., N] of candidates; parameters as for ``combine``."""
        return self.combine(self.prepare(candidates), parameters)


FUSIONS: Registry[type[Formula]] = Registry("fusion")
