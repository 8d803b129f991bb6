"""What a request must be, by the artifact's own schema: one check for all formats, with the same words."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from ranker.artifact import Artifact
from ranker.encoding import Column
from ranker.registry import nearest
from serving.expected import expected, list_of
from serving.messages import (
    FIELD,
    Explained,
    FusionChoice,
    Message,
    RankRequest,
    RequestError,
    UserId,
    cut,
)


class RequestChecker:
    """Turns what a format has read into a checked request. Types follow the schema and the types met in training."""

    def __init__(self, artifact: Artifact, max_candidates: int, by_id: bool = False, by_user: bool = False) -> None:
        """``by_id`` says that candidates may be ids alone, ``by_user`` that a user's id may stand for context."""
        schema = artifact.schema
        self.max_candidates = max_candidates
        context = {schema.column(n): expected(artifact, n, feature) for n, feature in schema.context.items()}
        self.columns = {schema.column(n): expected(artifact, n, feature) for n, feature in schema.candidate.items()}
        self.kinds = {n: kind.value for n, kind in self.columns.items() if not kind.listed and kind.value != "any"}
        context_model = _model("Context", {name: kind.type for name, kind in context.items()})
        name = schema.column(schema.candidate_id) if by_id and schema.candidate_id else None
        self._id = {name} if name is not None and len(self.columns) > 1 else None
        columns_model = _model("CandidateColumns", {name: list_of(kind.type) for name, kind in self.columns.items()})
        row_model = _model("Candidate", {name: kind.type for name, kind in self.columns.items()})
        rest: dict[str, Any] = {
            "top_k": (Annotated[int, Field(ge=1)] | None, Field(None, description="Return only the best so many.")),
            "fusion": (FusionChoice | None, None),
            "model": (str | None, Field(None, description="One of the service's models (see /models).")),
            "explain": (
                Explained,
                Field(False, description="true: explain every candidate returned; a number: so many of the best."),
            ),
        }
        whole = (context_model, Field(... if schema.context else None, description="One value a feature."))
        partial = _model("PartialContext", {name: kind.type for name, kind in context.items()}, optional=True)
        some = (
            partial | None,
            Field(None, description="One value a feature; what is left out is the user's, if one is named."),
        )
        user: Any = (UserId, Field(description="Whose stored features stand for those that the context leaves out."))
        self.context = {column: TypeAdapter(kind.type) for column, kind in context.items()}
        self._by_user = by_user
        choices, told = columns_model | list_of(row_model), "Columns, or a list of rows."
        models = [columns_model]
        if name is not None and self._id:
            kind = self.columns[name].type
            models.append(_model("CandidateIds", {name: list_of(kind)}))
            choices = choices | models[1] | list_of(_model("CandidateId", {name: kind}))
            told += " Ids alone are looked up."
        self._models: dict[tuple[bool, bool], Any] = {}
        for looked_up, model in enumerate(models):
            needed: dict[str, Any] = {"candidates": (model, ...), **rest}
            self._models[bool(looked_up), False] = create_model(
                "CheckedRequest", __base__=Message, context=whole, **needed
            )
            self._models[bool(looked_up), True] = create_model(
                "CheckedRequest", __base__=Message, user=user, context=some, **needed
            )
        either: dict[str, Any] = {"user": (UserId | None, user[1])} if by_user else {}
        either |= {"context": some if by_user else whole, "candidates": (choices, Field(description=told)), **rest}
        self.model = create_model("RankRequest", __base__=Message, **either)

    def check(
        self, raw: Mapping[str, Any], by_row: bool = False, columns: Mapping[str, Column] | None = None
    ) -> RankRequest:
        """Check a request whose candidates are columns. Raises ``RequestError`` with every problem found.

        ``columns`` are the candidates in the format's own arrays; ``raw`` then has an empty list for each of them
        that is known to be right. ``by_row`` says that the client sent rows, so that problems name those.
        """
        given = raw.get("candidates")
        by_id = isinstance(given, Mapping) and set(given) == self._id
        by_user = self._by_user and raw.get("user") is not None
        model = self._models[by_id, by_user]
        try:
            checked: Any = model.model_validate(raw)
        except ValidationError as error:
            raise RequestError(_problems(model, error, by_row)) from None
        candidates = dict(raw["candidates"] if columns is None else columns)
        self._check_lengths(candidates)
        context = {name: [value] for name, value in (raw.get("context") or {}).items()}
        user = checked.user if by_user else None
        return RankRequest(context, candidates, checked.top_k, checked.fusion, checked.explain, by_id, user)

    def turned(self, rows: list[Any]) -> dict[str, list[Any]]:
        """Rows to columns. Raises ``RequestError``."""
        if not rows:
            raise RequestError([("candidates", "must hold at least one candidate, got none")])
        names = list(self.columns)
        if self._id is not None and isinstance(rows[0], dict) and set(rows[0]) == self._id:
            names = list(self._id)
        expected = set(names)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise RequestError([(f"candidates.{number}", f"must be an object, got {short(row)}")])
            if row.keys() != expected:
                where = f"candidates.{number}"
                missing = ((f"{where}.{name}", "is required") for name in names if name not in row)
                unknown = ((f"{where}.{name}", _unknown(name, names)) for name in row if name not in expected)
                raise RequestError(chain(missing, unknown))
        return {name: [row[name] for row in rows] for name in names}

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
        if problems:
            raise RequestError(problems)
        require_few(count, self.max_candidates)


def require_few(count: int, most: int) -> None:
    """Raise ``RequestError`` where there are more candidates than a request may have."""
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
        found = [f.annotation for n, f in model.model_fields.items() if (f.alias or n) == part]
        model = next((m for m in found if isinstance(m, type) and issubclass(m, BaseModel)), FusionChoice)
    return [field.alias or name for name, field in model.model_fields.items()]


def short(value: Any) -> str:
    """A value written out, but not all of a long one."""
    return cut(repr(value), 60)


def _model(name: str, types: Mapping[str, Any], optional: bool = False) -> Any:
    """A model of columns; names are kept as aliases, since a column may be called anything."""
    default = None if optional else ...
    fields: dict[str, Any] = {
        f"field_{i}": (kind, Field(default, alias=column)) for i, (column, kind) in enumerate(types.items())
    }
    return create_model(name, __base__=Message, **fields)


def _unknown(name: str, known: list[str]) -> str:
    hint = nearest(cut(name, FIELD), known)
    return f"is unknown{'; ' + hint if hint else ''} (known: {', '.join(known)})"
