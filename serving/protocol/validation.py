"""Validates requests against the artifact's schema, with the same messages for all formats."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from ranker.artifact import Artifact
from ranker.encoding import Column
from ranker.encoding.columns import unequal_lengths
from ranker.registry import alternatives
from serving.protocol.bounds import Bounds, require_few_keys
from serving.protocol.column_types import Expected, expected_columns, list_of
from serving.protocol.errors import FIELD, RequestError, cut
from serving.protocol.messages import Cascading, Explained, FusionChoice, Message, RankRequest, UserId

SHOWN = 60
"""Most characters of an invalid value shown in a message."""
_ONE_VALUE = "One value per feature."


class RequestChecker:
    """Validates parsed requests; the types follow the schema and the types seen in training."""

    def __init__(self, artifact: Artifact, max_candidates: int, by_id: bool = False, by_user: bool = False) -> None:
        """``by_id`` allows candidates that are ids alone, ``by_user`` a user id in place of context columns."""
        schema = artifact.schema
        self.max_candidates = max_candidates
        self.context_columns = expected_columns(artifact.encoder, schema.context)
        self.columns = expected_columns(artifact.encoder, schema.candidate)
        self.kinds = {n: kind.value for n, kind in self.columns.items() if not kind.listed and kind.value != "any"}
        self.context = {column: TypeAdapter(kind.type) for column, kind in self.context_columns.items()}
        self._guards = {name: kind.guard for name, kind in self.columns.items() if kind.guard is not None}
        self._optional = _optional(self.columns)
        self._by_user = by_user
        name = schema.column(schema.candidate_id) if by_id and schema.candidate_id else None
        self._id = {name} if name is not None and len(self.columns) > 1 else None
        lists = {column: kind.column for column, kind in self.columns.items()}
        self._candidates = {False: _model("CandidateColumns", lists, self._optional)}
        if name is not None and self._id:
            self._candidates[True] = _model("CandidateIds", {name: lists[name]})
        self._models = _checked_models(self._candidates, self.context_columns)

    @cached_property
    def model(self) -> Any:
        """What the OpenAPI document shows, which is made when it is first asked for."""
        return _documented_model(self._candidates, self.context_columns, self.columns, self._id, self._by_user)

    @property
    def bounds(self) -> Bounds:
        """Size limits of a request."""
        return Bounds(self.max_candidates, len(self.columns) + len(self.context))

    def check(
        self, raw: Mapping[str, Any], by_row: bool = False, columns: Mapping[str, Column] | None = None
    ) -> RankRequest:
        """Validate a request whose candidates are columns. Raises ``RequestError`` with every problem found.

        ``columns`` are the candidates in the format's own arrays; ``raw`` then has an empty list for each column
        that is known to be valid. ``by_row`` says that the client sent rows, so that problems name rows.
        """
        require_few_keys(raw, len(self.context_columns), len(self.columns))
        sent = raw.get("candidates")
        if isinstance(sent, Mapping):
            require_few(max((len(v) for v in sent.values() if isinstance(v, list)), default=0), self.max_candidates)
        by_id = isinstance(sent, Mapping) and set(sent) == self._id
        by_user = self._by_user and raw.get("user") is not None
        model = self._models[by_id, by_user]
        try:
            checked: Any = model.model_validate(raw)
        except ValidationError as error:
            raise RequestError(_problems(model, error, by_row)) from None
        # Take the model's converted values, and from ``columns`` those that were passed to it empty.
        candidates = {
            name: values if values or columns is None else columns[name] for name, values in _sent(checked.candidates)
        }
        count = self._count(candidates)
        if not by_id:
            candidates |= {n: _nulls(self.columns[n], count) for n in self.columns if n not in candidates}
        context = {} if checked.context is None else {name: [value] for name, value in _sent(checked.context)}
        if not by_user:
            context |= {name: [None] for name in self.context if name not in context}
        user = checked.user if by_user else None
        return RankRequest(
            context, candidates, checked.top_k, checked.fusion, checked.explain, by_id, checked.cascade, user
        )

    def in_microseconds(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Drop columns with times in another unit, so that the full check reports them."""
        return {name: values for name, values in columns.items() if not self._in_another_unit(name, values)}

    def _in_another_unit(self, name: str, values: Any) -> bool:
        guard = self._guards.get(name)
        if guard is None:
            return False
        numbers = values if isinstance(values, np.ndarray) else [0 if value is None else value for value in values]
        return bool(guard.wrong(np.asarray(numbers)).any())

    def to_columns(self, rows: list[Any]) -> dict[str, list[Any]]:
        """Transpose rows to columns. Raises ``RequestError``."""
        if not rows:
            raise RequestError([("candidates", "must hold at least one candidate, got none")])
        require_few(len(rows), self.max_candidates)
        names = list(self._id if self._id is not None and self._are_ids(rows) else self.columns)
        expected = set(names)
        lacking = False
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise RequestError([(f"candidates.{number}", f"must be an object, got {short(row)}")])
            if row.keys() != expected:
                where = f"candidates.{number}"
                missing = [name for name in names if name not in row and name not in self._optional]
                unknown = [name for name in row if name not in expected]
                if missing or unknown:
                    needed = ((f"{where}.{name}", "is required") for name in missing)
                    raise RequestError(chain(needed, ((f"{where}.{n}", _unknown(n, names)) for n in unknown)))
                lacking = True
        if lacking:
            return {name: [row.get(name) for row in rows] for name in names}
        return {name: [row[name] for row in rows] for name in names}

    def _are_ids(self, rows: list[Any]) -> bool:
        """Whether rows hold ids alone: decided by the first row, unless all other columns are optional."""
        sample = rows if self._optional | (self._id or set()) >= self.columns.keys() else rows[:1]
        return all(isinstance(row, dict) and row.keys() == self._id for row in sample)

    def _count(self, candidates: Mapping[str, Column]) -> int:
        """The number of candidates. Raises ``RequestError`` if there is none, or if columns differ in length."""
        count = len(next(iter(candidates.values()), ()))
        problems = [(f"candidates.{name}", problem) for name, problem in unequal_lengths(candidates).items()]
        if not problems and not count:
            problems = [("candidates", "must hold at least one candidate, got none")]
        if problems:
            raise RequestError(problems)
        require_few(count, self.max_candidates)
        return count


def _optional(columns: Mapping[str, Expected]) -> set[str]:
    return {column for column, kind in columns.items() if not kind.required}


def _types(columns: Mapping[str, Expected]) -> dict[str, Any]:
    return {column: kind.type for column, kind in columns.items()}


def _whole_context(columns: Mapping[str, Expected]) -> dict[str, Any]:
    """The field of a request that names no user."""
    optional = _optional(columns)
    field: Any = Field(... if len(optional) < len(columns) else None, description=_ONE_VALUE)
    return {"context": (_model("Context", _types(columns), optional), field)}


def _user_and_context(columns: Mapping[str, Expected]) -> dict[str, Any]:
    """The fields of a request that names a user."""
    partial = _model("PartialContext", _types(columns), set(columns))
    left_out = f"{_ONE_VALUE[:-1]}; what is left out is the user's, if one is named."
    user: Any = Field(description="Whose stored features stand for those that the context leaves out.")
    return {"user": (UserId, user), "context": (partial | None, Field(None, description=left_out))}


def _other_fields() -> dict[str, Any]:
    """The fields of every request beside context and candidates."""
    return {
        "top_k": (Annotated[int, Field(ge=1)] | None, Field(None, description="Return only the best so many.")),
        "fusion": (FusionChoice | None, None),
        "cascade": (
            Cascading,
            Field(
                None,
                description="Two stages: false to score all candidates with the full model; true, or a share to keep, "
                "to score only the best of the student with it. Default: the service's setting.",
            ),
        ),
        "model": (str | None, Field(None, description="One of the service's models (see /models).")),
        "explain": (
            Explained,
            Field(False, description="true: explain every candidate returned; a number: so many of the best."),
        ),
    }


def _checked_models(candidates: Mapping[bool, Any], context: Mapping[str, Expected]) -> dict[tuple[bool, bool], Any]:
    """What requests are checked by: whether their candidates are ids alone, and whether they name a user -> model."""
    contexts = {False: _whole_context(context), True: _user_and_context(context)}
    return {
        (by_id, by_user): create_model(
            "CheckedRequest", __base__=Message, **fields, candidates=(model, ...), **_other_fields()
        )
        for by_id, model in candidates.items()
        for by_user, fields in contexts.items()
    }


def _documented_model(
    candidates: Mapping[bool, Any],
    context: Mapping[str, Expected],
    columns: Mapping[str, Expected],
    ids: Collection[str] | None,
    by_user: bool,
) -> Any:
    """What the OpenAPI document shows: all forms of a request in one."""
    types = _types(columns)
    row = _model("Candidate", types, _optional(columns))
    choices, told = candidates[False] | list_of(row), "Columns, or a list of rows."
    if ids:
        id_row = _model("CandidateId", {name: types[name] for name in ids})
        choices, told = choices | candidates[True] | list_of(id_row), f"{told} Ids alone are looked up."
    fields = _user_and_context(context) if by_user else _whole_context(context)
    if by_user:
        fields["user"] = (UserId | None, fields["user"][1])
    fields |= {"candidates": (choices, Field(description=told)), **_other_fields()}
    return create_model("RankRequest", __base__=Message, **fields)


def require_few(count: int, most: int) -> None:
    """Raise ``RequestError`` if there are more candidates than allowed."""
    if count > most:
        raise RequestError([("candidates", f"may hold at most {most} candidates, got {count}")])


def _problems(model: Any, error: ValidationError, by_row: bool) -> Iterator[tuple[str, str]]:
    for mistake in error.errors(include_url=False):
        loc = [str(part) for part in mistake["loc"]]
        if by_row and loc[0] == "candidates" and len(loc) > 2:
            loc[1], loc[2] = loc[2], loc[1]
        if mistake["type"] == "extra_forbidden":
            reason = _unknown(loc[-1], _known(model, mistake["loc"]))
        elif mistake["type"] == "missing":
            reason = "is required"
        elif mistake["type"] == "value_error":
            reason = f"{mistake['ctx']['error']}, got {short(mistake['input'])}"
        else:
            reason = f"{mistake['msg']}, got {short(mistake['input'])}"
        yield ".".join(part or '""' for part in loc), reason


def _known(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    for part in loc[:-1]:
        annotations = [f.annotation for n, f in model.model_fields.items() if (f.alias or n) == part]
        model = next((m for m in annotations if isinstance(m, type) and issubclass(m, BaseModel)), FusionChoice)
    return [field.alias or name for name, field in model.model_fields.items()]


def short(value: Any) -> str:
    """A value as text, cut if long."""
    return cut(_written(value, SHOWN), SHOWN)


def _written(value: Any, room: int) -> str:
    """At least the first ``room`` characters of ``repr(value)``, without visiting all of a large or deep value."""
    if isinstance(value, str | bytes):
        return repr(value[:room])
    if isinstance(value, Decimal):
        return f"{value:f}"
    if not isinstance(value, list | dict):
        return repr(value)
    text = "[" if isinstance(value, list) else "{"
    end = "]" if isinstance(value, list) else "}"
    for number, part in enumerate(value):
        if len(text) > room:
            return text
        text += ", " if number else ""
        text += _written(part, room - len(text))
        if isinstance(value, dict):
            text += ": " + _written(value[part], room - len(text) - 2)
    return text + end


def _model(name: str, types: Mapping[str, Any], optional: Collection[str] = ()) -> Any:
    """A model with a field per column; names are aliases, since a column name need not be an identifier."""
    fields: dict[str, Any] = {}
    for number, (column, kind) in enumerate(types.items()):
        # A factory, since OpenAPI would show a default as a value that may be sent.
        field: Any = Field(default_factory=lambda: None, alias=column) if column in optional else Field(alias=column)
        fields[f"field_{number}"] = (kind, field)
    return create_model(name, __base__=Message, **fields)


def _sent(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Names and values of the columns that a request has sent."""
    fields = type(model).model_fields
    for name in fields:
        if name in model.model_fields_set:
            yield fields[name].alias or name, getattr(model, name)


def _nulls(expected: Expected, count: int) -> Column:
    """A column of missing values, in the form of a parsed one."""
    return np.full(count, np.nan) if expected.value == "number" and not expected.listed else [None] * count


def _unknown(name: str, known: list[str]) -> str:
    return f"is unknown{alternatives(cut(name, FIELD), known)}"
