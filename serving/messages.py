"""Requests and answers, with types made from the artifact's own schema."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from ranker.artifact import Artifact
from ranker.encoding import Column
from ranker.encoding.lists import table_of
from ranker.registry import nearest
from ranker.schema import Categorical, Dense, Feature, Multi, Numeric, Sequence
from serving.typed import Kind, may_hold_booleans, typed

Number = Annotated[float, Field(allow_inf_nan=False)]
Integer = Annotated[int, Field(gt=-(2**63), lt=2**63)]


def _how_many(value: Any) -> Any:
    if not isinstance(value, bool | int) or (not isinstance(value, bool) and value < 1):
        raise ValueError("must be true, false, or a whole number of at least 1: explain so many of the best")
    return value


Explained = Annotated[bool | int, BeforeValidator(_how_many)]


class RequestError(ValueError):
    """What is wrong with a request: a list of fields and reasons."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = [{"field": field, "reason": reason} for field, reason in problems]
        super().__init__("; ".join(f"{p['field']}: {p['reason']}" for p in self.problems))


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class FusionChoice(_Message):
    """Another fusion, or other parameters of the default one."""

    name: str | None = Field(
        None, description="One of the artifact's fusions, or a formula (see /model); by default `default`."
    )
    parameters: dict[str, Number | dict[str, Number]] = Field(
        default_factory=dict, description="By name: one number for all objectives, or numbers by objective."
    )


class FusionUsed(_Message):
    """The fusion that ranked: what a request calls it, its formula, and all of its parameters."""

    name: str
    formula: str
    parameters: dict[str, float | dict[str, float]]


class Explanations(_Message):
    """Why candidates rank where they do; all lists are in ranked order.

    Without an objective means: as if all candidates had what the middle one of the request has on it.
    """

    baseline: list[float] = Field(description="What the formula gives a candidate in the middle of every objective.")
    contributions: dict[str, list[float]] = Field(
        description="By objective: the formula's score less the one without the objective, before rules."
    )
    rank_without: dict[str, list[int]] = Field(
        description="By objective: the place among all candidates without the objective, from 1."
    )
    rules: dict[str, list[bool]] = Field(description="By rule: whether it applies to the candidate.")


class Ranking(_Message):
    """Candidates in ranked order, best first; all lists are in that order."""

    model_version: int = Field(description="Number of the artifact that ranked.")
    fusion: FusionUsed
    ids: list[int | str | None] = Field(description="Ids of the candidates, or their positions if they have none.")
    fused: list[float] = Field(description="The score that ranks.")
    scores: dict[str, list[float]] = Field(description="Each objective's score.")
    explanations: Explanations | None = Field(None, description="Of the first candidates, where the request asks.")


class Problem(_Message):
    """One thing that is wrong with a request."""

    field: str
    reason: str


class Problems(_Message):
    """Answer to a request that cannot be ranked."""

    detail: list[Problem]


@dataclass(frozen=True)
class RankRequest:
    """A checked request: columns by name, as the encoder takes them."""

    context: dict[str, list[Any]]
    candidates: Mapping[str, Column]
    top_k: int | None = None
    fusion: FusionChoice | None = None
    explain: bool | int = False


class RequestParser:
    """Turns a body into a checked request. Types follow the schema and the types met in training."""

    def __init__(self, artifact: Artifact, max_candidates: int) -> None:
        schema = artifact.schema
        types: dict[str, Any] = {
            name: _value_type(artifact, name, feature) for name, feature in schema.features.items()
        }
        self._limit = max_candidates
        self._columns = list(dict.fromkeys(schema.column(name) for name in schema.candidate))
        kinds = {schema.column(name): _kind(artifact, name, feature) for name, feature in schema.candidate.items()}
        self._kinds: dict[str, Kind] = {name: kind for name, kind in kinds.items() if kind is not None}
        context = _fields({schema.column(name): types[name] for name in schema.context})
        columns = _fields({schema.column(name): _list_of(types[name]) for name in schema.candidate})
        rows = _fields({schema.column(name): types[name] for name in schema.candidate})
        context_model = create_model("Context", __base__=_Message, **context)
        columns_model = create_model("CandidateColumns", __base__=_Message, **columns)
        row_model = create_model("Candidate", __base__=_Message, **rows)
        rest: dict[str, Any] = {
            "top_k": (Annotated[int, Field(ge=1)] | None, Field(None, description="Return only the best so many.")),
            "fusion": (FusionChoice | None, None),
            "explain": (
                Explained,
                Field(False, description="true: explain every candidate returned; a number: so many of the best."),
            ),
        }
        needed = ... if schema.context else None
        given = (context_model, Field(needed, description="One value a feature."))
        self._model = create_model(
            "CheckedRequest", __base__=_Message, context=given, candidates=(columns_model, ...), **rest
        )
        self.model = create_model(
            "RankRequest",
            __base__=_Message,
            context=given,
            candidates=(columns_model | list[row_model], Field(description="Columns, or a list of rows.")),
            **rest,
        )

    def parse(self, body: bytes) -> RankRequest:
        """Check a body. Raises ``RequestError`` with every problem found."""
        try:
            raw = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RequestError([("body", f"is not valid JSON (NaN and infinity are none): {error}")]) from None
        if not isinstance(raw, dict):
            raise RequestError([("body", f"must be an object with context and candidates, got {_short(raw)}")])
        by_row = isinstance(raw.get("candidates"), list)
        if by_row:
            raw = {**raw, "candidates": self._turned(raw["candidates"])}
        given: Any = raw.get("candidates")
        known = typed(given, self._kinds, may_hold_booleans(body)) if isinstance(given, dict) else {}
        try:
            # A column that is known to be right stands there empty, so that it is not looked at again.
            unknown = {**raw, "candidates": {**given, **{name: [] for name in known}}} if known else raw
            checked: Any = self._model.model_validate(unknown)
        except ValidationError as error:
            raise RequestError(self._problems(error, by_row)) from None
        candidates: dict[str, Column] = {**raw["candidates"], **known}
        self._check_lengths(candidates)
        context = {name: [value] for name, value in (raw.get("context") or {}).items()}
        return RankRequest(context, candidates, checked.top_k, checked.fusion, checked.explain)

    def _turned(self, rows: list[Any]) -> dict[str, list[Any]]:
        """Rows to columns."""
        if not rows:
            raise RequestError([("candidates", "must hold at least one candidate, got none")])
        expected = set(self._columns)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise RequestError([(f"candidates.{number}", f"must be an object, got {_short(row)}")])
            if row.keys() != expected:
                where = f"candidates.{number}"
                missing = [(f"{where}.{name}", "is required") for name in self._columns if name not in row]
                unknown = [(f"{where}.{name}", _unknown(name, self._columns)) for name in row if name not in expected]
                raise RequestError(missing + unknown)
        return {name: [row[name] for row in rows] for name in self._columns}

    def _check_lengths(self, candidates: Mapping[str, Column]) -> None:
        lengths = {name: len(values) for name, values in candidates.items()}
        first, count = next(iter(lengths.items()))
        problems = [
            (f"candidates.{name}", f"has {length} values where {first} has {count}: all columns must be of one length")
            for name, length in lengths.items()
            if length != count
        ]
        if not problems and not count:
            problems = [("candidates", "must hold at least one candidate, got none")]
        if not problems and count > self._limit:
            problems = [("candidates", f"may hold at most {self._limit} candidates, got {count}")]
        if problems:
            raise RequestError(problems)

    def _problems(self, error: ValidationError, by_row: bool) -> list[tuple[str, str]]:
        problems = []
        for mistake in error.errors(include_url=False):
            loc = [str(part) for part in mistake["loc"]]
            if by_row and loc[0] == "candidates" and len(loc) > 2:
                loc[1], loc[2] = loc[2], loc[1]
            if mistake["type"] == "extra_forbidden":
                reason = _unknown(loc[-1], self._known(mistake["loc"]))
            elif mistake["type"] == "missing":
                reason = "is required"
            elif mistake["type"] == "value_error":
                reason = f"{mistake['ctx']['error']}, got {_short(mistake['input'])}"
            else:
                reason = f"{mistake['msg']}, got {_short(mistake['input'])}"
            problems.append((".".join(loc), reason))
        return problems

    def _known(self, loc: tuple[int | str, ...]) -> list[str]:
        model: Any = self._model
        for part in loc[:-1]:
            found = [f.annotation for n, f in model.model_fields.items() if (f.alias or n) == part]
            model = next((m for m in found if isinstance(m, type) and issubclass(m, BaseModel)), FusionChoice)
        return [field.alias or name for name, field in model.model_fields.items()]


def _fields(types: Mapping[str, Any]) -> dict[str, Any]:
    """Columns to fields; names are kept as aliases, since a column may be called anything."""
    return {f"field_{i}": (kind, Field(alias=column)) for i, (column, kind) in enumerate(types.items())}


def _value_type(artifact: Artifact, name: str, feature: Feature) -> Any:
    if isinstance(feature, Numeric):
        return Number | None
    if isinstance(feature, Dense):
        vector = Annotated[list[Number], Field(min_length=feature.size, max_length=feature.size)]
        return vector | None
    if isinstance(feature, Categorical):
        return _coded(artifact, name) | None
    assert isinstance(feature, Multi | Sequence)
    if feature.separator is not None:
        return str | None
    item: Any = _coded(artifact, table_of(name, feature)) | None
    return _list_of(item) | None


def _kind(artifact: Artifact, name: str, feature: Feature) -> Kind | None:
    """What the values of a column are; ``None`` for lists, and where training saw none."""
    if isinstance(feature, Numeric):
        return "number"
    return artifact.encoder.coders[name].kind if isinstance(feature, Categorical) else None


def _coded(artifact: Artifact, feature: str) -> Any:
    kinds = {"integer": Integer, "string": str, None: Integer | str}
    return kinds[artifact.encoder.coders[feature].kind]


def _list_of(item: Any) -> Any:
    return list.__class_getitem__(item)


def _unknown(name: str, known: list[str]) -> str:
    hint = nearest(name, known)
    return f"is unknown{'; ' + hint if hint else ''} (known: {', '.join(known)})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
