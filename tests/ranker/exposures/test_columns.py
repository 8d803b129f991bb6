"""The columns that the service writes and training reads."""

from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, RAW, REQUEST, ROW, SCORE


def test_no_name_is_used_twice_or_looks_like_one_with_a_prefix():
    names = [*REQUEST, *ROW, ITEM]
    assert len(set(names)) == len(names)
    assert not any(name.startswith((SCORE, RAW, CONTEXT, CANDIDATE)) for name in names)
