"""Small exposure logs."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from ranker.exposures.columns import REQUEST

DAY = datetime(2026, 1, 31, 23, 59, 0, tzinfo=UTC)


def exposures(requests: int, rows: int = 3, begun: datetime = DAY, every: float = 1.0, first: int = 0) -> pa.Table:
    """Requests of a number of candidates each, ``every`` so many seconds."""
    words = {"model": "default", "experiment": "e", "group": "g", "outside": None, "fusion": "default"}
    words |= {"formula": "additive", "parameters": "{}", "version": 1, "candidates": 9, "returned": rows}
    numbers = range(first, first + requests)
    columns = {name: [words.get(name)] * (requests * rows) for name in REQUEST}
    columns["request_id"] = [f"r{number}" for number in numbers for _ in range(rows)]
    columns["unit"] = [f"u{number % 5}" for number in numbers for _ in range(rows)]
    columns["time"] = [begun + timedelta(seconds=every * (number - first)) for number in numbers for _ in range(rows)]
    columns["place"] = [*range(1, rows + 1)] * requests
    columns["item"] = [number * 100 + place for number in numbers for place in range(1, rows + 1)]
    columns["base_place"] = [None] * (requests * rows)
    columns["propensity"] = [None] * (requests * rows)
    columns["fused"] = [1 / place for _ in numbers for place in range(1, rows + 1)]
    columns["score.click"] = columns["fused"]
    return pa.table(columns)
