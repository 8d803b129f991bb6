"""What a fusion formula is: a step per request that sees no parameters, and a step per candidate that does."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from ranker.config.closed import Closed
from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.registry import Registry

BLOCK = 65_536
"""Fused scores that ``Formula.sweep`` computes at a time: 512 KB, and as much for each step of a formula."""

Attribution = Literal["leave_one_out", "shapley"]
"""How an explanation says what an objective gives: the score less the one without it, or its Shapley value."""

State: TypeAlias = Mapping[str, Any]
"""What fitting found, of plain numbers, strings, lists and mappings, as an artifact stores it."""


class FormulaOptions(Closed):
    """What a config may say about a formula beside its parameters: nothing, for most."""


class Formula(ABC):
    """How the scores of T objectives become one ranking score.

    ``fuse`` is ``combine(prepare(candidates), parameters)``. ``prepare`` sees whole requests and no parameters;
    ``combine`` sees the parameters and treats each candidate on its own. A search therefore prepares a log once, with
    the ranks within its requests, and combines it under all of its parameter sets in one call, ``sweep``.

    Attributes
    ----------
    Options
        What the formula can be told beside its parameters.
    parameters
        What the formula can be given, and a search may vary.
    direction
        The per-objective parameter whose sign says whether an objective counts for a candidate (raising the score
        never lowers the fused one) or against it; ``None`` where there is no such parameter.
    invariant_to
        The changes of the scores that leave the ranking as it was, each with the parameter values that it
        depends on (none: it holds for all). Those not named do change the ranking.
    attribution
        How explanations divide the fused score among the objectives.
    fitted
        Whether the formula works only with the state that ``fit`` finds.
    features
        Names of the candidates' features that it reads.
    columns
        Columns of numbers in the log that ``fit`` reads beside what candidates have: those of a label's formula.
    keys
        Columns of ids in the log that ``fit`` reads to tell rows apart, such as the request.
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
        """Whether the formula works with nothing but parameters, so that a request can name it as it is."""
        return not cls.fitted and not any(field.is_required() for field in cls.Options.model_fields.values())

    def fit(self, candidates: Candidates, log: Mapping[str, Any]) -> State:  # noqa: ARG002
        """Return what the formula needs to know of a reference population; nothing, for most.

        ``log`` has the raw values of ``columns`` and ``keys``, [N] each. Raises ``FusionError`` for what cannot
        be fitted to.
        """
        return {}

    def prepare(self, candidates: Candidates) -> Floats:
        """Return what ``combine`` reads of the candidates: [N, T or more], the objectives' columns first."""
        return candidates.scores

    @abstractmethod
    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Fused scores [..., N], higher is better, of prepared candidates [N, T or more].

        ``parameters`` has an array [..., T] for each per-objective parameter and [...] for each other one,
        unchecked: one set with [T] and [] gives [N], P sets with [P, T] and [P] give [P, N].
        """

    def sweep(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Iterator[tuple[slice, Floats]]:
        """Fuse under P parameter sets ([P, T] or [P] each), a few sets at a time: which ones, and their scores [., N].

        The numbers of ``combine``, without memory for [P, N], and in blocks that the processor's cache holds.
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
        """Fused scores [..., N] of candidates, as ``combine``."""
        return self.combine(self.prepare(candidates), parameters)


FUSIONS: Registry[type[Formula]] = Registry("fusion")
