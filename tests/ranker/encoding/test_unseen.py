import numpy as np

from ranker.encoding.unseen import IdCounts, id_counts


def test_ids_are_counted_by_feature(rows):
    context = {**rows.columns, "user": np.full(64, 999), "city": np.array([None] * 64, dtype=object)}
    packed = rows.encoder.encode(context, rows.columns)
    counts = id_counts(rows.encoder.layout.context, packed.context_ids)
    assert counts["user"] == (64, 64)
    assert counts["city"] == (0, 0)
    known = id_counts(rows.encoder.layout.candidate, packed.candidate_ids)
    assert known["item"] == (64, 0)
    assert IdCounts(3, 1).plus(IdCounts(4, 2)) == (7, 3)
