"""Columns of the exposure log: a row is one candidate of an answered request.

All rows of a request are consecutive in one file, by place; a request without a ranked candidate has none. Columns of
the request:

- ``request_id``: the answer's ``X-Request-ID``; a client that sends one twice has two requests of one id.
- ``time``: when the request was answered.
- ``model``, ``version``: what ranked it.
- ``experiment``, ``group``, ``outside``: the experiment, if one runs; the group, or why the request is in none.
- ``fusion``, ``formula``, ``parameters``: name in requests, formula, and as JSON ``parameters``, ``rerank`` and
  ``explore`` with all numbers, as in the answer's ``fusion``.
- ``unit``: the user, or what else the experiment splits by, as text; hashed if the service is set so.
- ``candidates``: number of candidates that were ranked.
- ``returned``: number of candidates in the answer.

Columns of the candidate:

- ``item``: its id as in the request, or its position in the request if candidates have no id.
- ``place``: from 1; beyond ``returned``, where it would have been in a longer answer.
- ``base_place``: its place before exploration; null if the fusion does not explore.
- ``propensity``: probability of the candidate at its place, given those before it; null as above.
- ``fused``: the fused score after rules.
- ``score.OBJECTIVE``: the calibrated score, as in the answer.
- ``raw.OBJECTIVE``: the model's score, for objectives that the fusion calibrates.
- ``context.COLUMN``, ``candidate.COLUMN``: the features that the service is set to log, by the schema's column names.
"""

import pyarrow as pa

FORMAT = 1
"""Version of this layout, under ``METADATA`` in the Parquet files."""
METADATA = b"ranker.exposures"
"""Key of the Parquet metadata that holds, as JSON, ``format``, and ``hashed``: whether units are hashed."""

SCORE, RAW, CONTEXT, CANDIDATE = "score.", "raw.", "context.", "candidate."
"""Prefixes of the columns by objective and by feature."""

WORD = pa.dictionary(pa.int32(), pa.string())
"""Text that repeats from row to row."""

REQUEST = {
    "request_id": pa.string(),
    "time": pa.timestamp("ms", tz="UTC"),
    "model": WORD,
    "version": pa.int32(),
    "experiment": WORD,
    "group": WORD,
    "outside": WORD,
    "fusion": WORD,
    "formula": WORD,
    "parameters": WORD,
    "unit": pa.string(),
    "candidates": pa.int32(),
    "returned": pa.int32(),
}
"""Columns that are equal in all rows of a request."""
ROW = {
    "place": pa.int32(),
    "base_place": pa.int32(),
    "propensity": pa.float64(),
    "fused": pa.float64(),
}
"""Columns of a candidate, beside ``item`` (int64, uint64 or string, as the model has it) and those with a prefix."""
ITEM = "item"
