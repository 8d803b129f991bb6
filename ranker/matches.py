"""Inputs that look a candidate's value up in lists of the context: config, names and checks."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field

from ranker.config.closed import Closed
from ranker.encoding.kinds import Categorical, FeatureKind, Multi, Numeric
from ranker.encoding.kinds import Sequence as SequenceKind
from ranker.registry import require_known

MatchMeasure: TypeAlias = Literal["count", "share", "last"]
"""How a candidate's value occurs in a list."""


class MatchInput(Numeric):
    """A number computed from a candidate's value and a list of the context, standardised.

    It is missing where the candidate has no value or the list has none.
    """


class Match(Closed):
    """How often, and how lately, the value of a candidate feature occurs in lists of the context."""

    model_config = ConfigDict(serialize_by_alias=True)

    of: str = Field(description="Categorical or multi candidate feature; an element equal to any of its values counts.")
    lists: str | tuple[str, ...] = Field(
        alias="in",
        description="Context features that hold lists, of kind sequence or multi; `pooling: none` makes a sequence "
        "that is looked up alone. The `max_length` of the feature limits the list.",
    )
    measures: tuple[MatchMeasure, ...] = Field(
        ("count", "share", "last"),
        alias="as",
        min_length=1,
        description="count: log(1 + number of equal elements). share: their share of the elements. last: 1 / (1 + "
        "number of elements after the latest equal one), 0 without an equal one; of sequences alone.",
    )

    @property
    def list_features(self) -> tuple[str, ...]:
        """The features of ``in``."""
        return (self.lists,) if isinstance(self.lists, str) else self.lists

    def measures_of(self, feature: FeatureKind) -> tuple[MatchMeasure, ...]:
        """What is computed of a list; the values of a multi feature have no order."""
        if isinstance(feature, SequenceKind):
            return self.measures
        return tuple(measure for measure in self.measures if measure != "last")


def match_input(of: str, in_list: str, measure: MatchMeasure) -> str:
    """Name of an input: ``match(author, watched_authors).count``; no feature can have it."""
    return f"match({of}, {in_list}).{measure}"


def match_inputs(matches: Sequence[Match], context: Mapping[str, FeatureKind]) -> dict[str, MatchInput]:
    """All inputs by name."""
    return {
        match_input(match.of, name, measure): MatchInput(kind="numeric")
        for match in matches
        for name in match.list_features
        for measure in match.measures_of(context[name])
    }


def check_matches(
    matches: Sequence[Match], context: Mapping[str, FeatureKind], candidate: Mapping[str, FeatureKind]
) -> None:
    """Raise ``ValueError`` for unknown features, repetitions, and lists that nothing reads."""
    values = [name for name, feature in candidate.items() if isinstance(feature, Categorical | Multi)]
    lists = [name for name, feature in context.items() if isinstance(feature, SequenceKind | Multi)]
    seen: set[tuple[str, str]] = set()
    for number, match in enumerate(matches):
        path = f"matches.{number}"
        require_known(match.of, values, f"{path}.of", "a categorical or multi candidate feature")
        if not match.list_features:
            raise ValueError(f"{path}.in: names no list")
        if twice := [name for name in match.measures if match.measures.count(name) > 1]:
            raise ValueError(f"{path}.as: {twice[0]!r} is listed twice")
        for name in match.list_features:
            require_known(name, lists, f"{path}.in", "a sequence or multi context feature")
            if not match.measures_of(context[name]):
                raise ValueError(f"{path}.as: last needs a sequence, and {name!r} is a multi feature without an order")
            if (match.of, name) in seen:
                raise ValueError(f"{path}: {match.of!r} in {name!r} is listed twice")
            seen.add((match.of, name))
    read = {name for _, name in seen}
    for side, features in (("context", context), ("candidate", candidate)):
        for name, feature in features.items():
            if isinstance(feature, SequenceKind) and not feature.embedded and name not in read:
                raise ValueError(
                    f"{side}.{name}.pooling: none leaves the list to schema.matches, and no entry names it in `in`"
                )
