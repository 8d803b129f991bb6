"""JSON: candidates as columns or as rows, both ways."""

import re
from typing import Any

import numpy as np
import orjson

from ranker.encoding import Text
from serving.protocol.bounds import Bounds, require_few_keys_in, require_few_objects
from serving.protocol.errors import RequestError
from serving.protocol.formats.base import BY_ROW, JSON, READERS, WRITERS, Answer, Opened
from serving.protocol.formats.json_columns import may_hold_booleans, typed
from serving.protocol.formats.json_parsing import exactly, parsed
from serving.protocol.messages import RankRequest
from serving.protocol.validation import RequestChecker, short

NUMPY = orjson.OPT_SERIALIZE_NUMPY
LARGE = re.compile(rb"[0-9]{19}")


@READERS.register(JSON)
class JsonReader:
    """An object with context and candidates; these are an object of columns, or a list of rows."""

    def open(self, body: bytes, bounds: Bounds) -> Opened:
        """Read a body; candidates and columns are counted once it is known whose."""
        require_few_objects(body)
        require_few_keys_in(body, bounds)
        raw = parsed(body, "body")
        if not isinstance(raw, dict):
            raise RequestError([("body", f"must be an object with context and candidates, got {short(raw)}")])
        return Opened(raw, (body, may_hold_booleans(body)))

    def check(self, opened: Opened, checker: RequestChecker) -> RankRequest:
        """Check it."""
        body, booleans = opened.rest
        try:
            return self._checked(opened.content, booleans, checker)
        except RequestError:
            # Integers beyond 64 bits were read as floats; what is said of them is said of what was sent.
            exact = exactly(body) if LARGE.search(body) else None
            if exact is None:
                raise
            return self._checked(exact, booleans, checker)

    def _checked(self, raw: dict[str, Any], booleans: bool, checker: RequestChecker) -> RankRequest:
        by_row = isinstance(raw.get("candidates"), list)
        if by_row:
            raw = {**raw, "candidates": checker.turned(raw["candidates"])}
        given = raw.get("candidates")
        if not isinstance(given, dict):
            return checker.check(raw)
        known = checker.in_microseconds(typed(given, checker.kinds, booleans=booleans))
        # A column that is known to be right is shown to the check empty, so that nobody looks at it again.
        shown = {**raw, "candidates": {**given, **{name: [] for name in known}}}
        return checker.check(shown, by_row, {**given, **known})


@WRITERS.register(JSON)
def columns(answer: Answer) -> bytes:
    """Columns in ranked order."""
    explanations = {} if answer.explanations is None else {"explanations": answer.explanations}
    # Arrays of integers are written as they are; their single values are not, if they are of C's long long.
    integers = type(answer.ids) is np.ndarray and answer.ids.dtype.kind in "iu"
    ranking = {
        "ids": answer.ids if integers else _plain(answer.ids),
        "fused": answer.fused,
        "scores": answer.scores,
        **explanations,
    }
    return orjson.dumps({**answer.facts, **ranking}, option=NUMPY)


@WRITERS.register(BY_ROW)
def rows(answer: Answer) -> bytes:
    """One object a candidate, in ranked order; those that are explained carry their explanation."""
    ids, fused = _plain(answer.ids), answer.fused.tolist()
    ranked = [
        {"id": name, "fused": value, "scores": scores}
        for name, value, scores in zip(ids, fused, _by_row(answer.scores, len(fused)), strict=True)
    ]
    if answer.explanations is not None:
        count = len(answer.explanations["baseline"])
        for candidate, explanation in zip(ranked, _by_row(answer.explanations, count), strict=False):
            candidate["explanation"] = explanation
    return orjson.dumps({**answer.facts, "candidates": ranked}, option=NUMPY)


def _by_row(columns: Any, count: int) -> list[dict[str, Any]]:
    """Columns by name, nested or not, to as many objects of the same shape."""
    names = list(columns)
    values = [_by_row(v, count) if isinstance(v, dict) else list(v) for v in columns.values()]
    # Numbers stay NumPy's, which are written with the digits of their own precision.
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)] if names else [{}] * count


def _plain(ids: Any) -> Any:
    """Ids as JSON has them: integers, strings, null."""
    return ids.tolist() if isinstance(ids, np.ndarray | Text) else ids
