"""JSON requests and answers, with candidates as columns or as rows."""

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
    """Reads an object with context and candidates, which are an object of columns or a list of rows."""

    def open(self, body: bytes, bounds: Bounds) -> Opened:
        """Parse a body; candidates and columns are counted once the model is known."""
        require_few_objects(body)
        require_few_keys_in(body, bounds)
        raw = parsed(body, "body")
        if not isinstance(raw, dict):
            raise RequestError([("body", f"must be an object with context and candidates, got {short(raw)}")])
        return Opened(raw, (body, may_hold_booleans(body)))

    def check(self, opened: Opened, checker: RequestChecker) -> RankRequest:
        """Validate a parsed request."""
        body, booleans = opened.rest
        try:
            return self._checked(opened.content, booleans, checker)
        except RequestError:
            # Integers beyond 64 bits were parsed as floats: check again so that errors show the sent values.
            exact = exactly(body) if LARGE.search(body) else None
            if exact is None:
                raise
            return self._checked(exact, booleans, checker)

    def _checked(self, raw: dict[str, Any], booleans: bool, checker: RequestChecker) -> RankRequest:
        by_row = isinstance(raw.get("candidates"), list)
        if by_row:
            raw = {**raw, "candidates": checker.to_columns(raw["candidates"])}
        candidates = raw.get("candidates")
        if not isinstance(candidates, dict):
            return checker.check(raw)
        valid = checker.in_microseconds(typed(candidates, checker.kinds, booleans=booleans))
        # Columns known to be valid are passed to the check empty, so that it does not visit their values again.
        to_check = {**raw, "candidates": {**candidates, **{name: [] for name in valid}}}
        return checker.check(to_check, by_row, {**candidates, **valid})


@WRITERS.register(JSON)
def columns(answer: Answer) -> bytes:
    """Write the ranking as columns in ranked order."""
    explanations = {} if answer.explanations is None else {"explanations": answer.explanations}
    # orjson writes integer arrays but not every NumPy integer scalar (C's long long).
    integers = type(answer.ids) is np.ndarray and answer.ids.dtype.kind in "iu"
    ranking = {
        "ids": answer.ids if integers else _plain(answer.ids),
        "fused": answer.fused,
        "scores": answer.scores,
        **({} if answer.scored_by is None else {"scored_by": answer.scored_by}),
        **answer.drawn,
        **explanations,
    }
    return orjson.dumps({**answer.facts, **ranking}, option=NUMPY)


@WRITERS.register(BY_ROW)
def rows(answer: Answer) -> bytes:
    """Write one object per candidate in ranked order, with its explanation if there is one."""
    ids, fused = _plain(answer.ids), answer.fused.tolist()
    ranked = [
        {"id": name, "fused": value, "scores": scores}
        for name, value, scores in zip(ids, fused, _by_row(answer.scores, len(fused)), strict=True)
    ]
    for candidate, model in zip(ranked, answer.scored_by or (), strict=False):
        candidate["scored_by"] = model
    for name, values in answer.drawn.items():
        for candidate, value in zip(ranked, values.tolist(), strict=True):
            candidate[name] = value
    if answer.explanations is not None:
        count = len(answer.explanations["baseline"])
        for candidate, explanation in zip(ranked, _by_row(answer.explanations, count), strict=False):
            candidate["explanation"] = explanation
    return orjson.dumps({**answer.facts, "candidates": ranked}, option=NUMPY)


def _by_row(columns: Any, count: int) -> list[dict[str, Any]]:
    """Transpose ``count`` values per column, nested or not, to a list of objects."""
    names = list(columns)
    values = [_by_row(v, count) if isinstance(v, dict) else list(v) for v in columns.values()]
    # Keep NumPy numbers, which orjson writes with the digits of their precision.
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)] if names else [{}] * count


def _plain(ids: Any) -> Any:
    """Ids as JSON values: integers, strings, null."""
    return ids.tolist() if isinstance(ids, np.ndarray | Text) else ids
