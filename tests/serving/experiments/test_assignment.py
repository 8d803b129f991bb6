"""Groups by hash: how large they are, who stays where, and what moves whom."""

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from serving.experiments.assignment import Split, point
from serving.experiments.config import Experiment

MANY, SOME = 100_000, 20_000
PLAUSIBLE = 4.5
"""Standard deviations; the hash is fixed, so that a test passes always or never."""


def experiment(shares, **more):
    groups = {name: {"share": share} for name, share in shares.items()}
    return Experiment.model_validate({"name": "e", "unit": "user", "groups": groups, **more})


def groups_of(shares, count=SOME, **more):
    split = Split(experiment(shares, **more))
    return [split.group_of(str(unit)) for unit in range(count)]


@pytest.mark.parametrize("coverage", [1.0, 0.35])
def test_groups_are_as_large_as_their_shares(coverage):
    shares = {"control": 0.6, "bold": 0.3, "brave": 0.1}
    counts = Counter(groups_of(shares, MANY, coverage=coverage))
    assert (None in counts) == (coverage < 1)
    for name, share in shares.items():
        expected = MANY * share * coverage
        spread = np.sqrt(expected * (1 - share * coverage))
        assert abs(counts[name] - expected) < PLAUSIBLE * spread


def chi_square(table):
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def test_points_are_spread_evenly():
    counts, _ = np.histogram([point("e", str(unit)) for unit in range(SOME)], bins=100, range=(0, 1))
    assert float(((counts - SOME / 100) ** 2 / (SOME / 100)).sum()) < 148.2  # 99 degrees of freedom, p > 0.001


@pytest.mark.parametrize("other", ["f", "e2", "e "])
def test_groups_under_another_salt_are_independent(other):
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    table = np.zeros((3, 3))
    for one, two in zip(groups_of(shares), groups_of(shares, salt=other), strict=True):
        table["abc".index(one), "abc".index(two)] += 1
    assert chi_square(table) < 18.47  # 4 degrees of freedom, p > 0.001


def test_the_salt_is_the_name_unless_there_is_one():
    shares = {"a": 0.5, "b": 0.5}
    assert groups_of(shares, 1000) == groups_of(shares, 1000, name="other", salt="e")
    assert groups_of(shares, 1000) != groups_of(shares, 1000, name="other")


def test_points_never_change():
    # Of hashlib.blake2b(b"e\x007", digest_size=8), first 53 bits: other numbers would reshuffle running experiments.
    assert point("e", "7") == 0.9508589370946993
    assert all(0 <= point("e", str(unit)) < 1 for unit in range(1000))


def test_groups_are_the_same_in_another_process():
    code = "from serving.experiments.assignment import point;print([point('e', str(unit)) for unit in range(100)])"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ran.stdout.strip() == str([point("e", str(unit)) for unit in range(100)])


def test_a_larger_share_takes_from_its_neighbour_alone():
    moved = Counter(zip(groups_of({"a": 0.9, "b": 0.1}), groups_of({"a": 0.8, "b": 0.2}), strict=True))
    assert set(moved) == {("a", "a"), ("a", "b"), ("b", "b")}
    assert abs(moved["a", "b"] - 0.1 * SOME) < PLAUSIBLE * np.sqrt(SOME * 0.09)
    three = zip(groups_of({"a": 0.5, "b": 0.3, "c": 0.2}), groups_of({"a": 0.5, "b": 0.4, "c": 0.1}), strict=True)
    assert set(three) == {("a", "a"), ("b", "b"), ("c", "b"), ("c", "c")}


def test_a_larger_coverage_moves_nobody_between_groups():
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    steps = [groups_of(shares, coverage=coverage) for coverage in (0.0, 0.1, 0.5, 1.0)]
    assert set(steps[0]) == {None}
    for before, after in pairwise(steps):
        assert all(old in (None, new) for old, new in zip(before, after, strict=True))
        assert before != after


def test_nobody_falls_off_the_end():
    split = Split(experiment({"a": 0.3333, "b": 0.3333, "c": 0.3333, "off": 0.0}))
    assert [(low, name) for low, _, name in split._ranges] == [
        (0.0, "a"),
        (0.3333, "b"),
        (0.6666, "c"),
        (0.9999, "off"),
    ]
    assert split._ranges[2][1] == 1.0
    assert set(groups_of({"a": 0.3333, "b": 0.3333, "c": 0.3333, "off": 0.0})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("value", "unit"),
    [(7, "7"), ("7", "7"), ("u1", "u1"), (0, "0"), (None, None), ("", None), (True, None), (7.0, None), ([7], None)],
)
def test_what_a_unit_is(value, unit):
    assert Split(experiment({"a": 1})).unit_of({"context": {"user": value}, "user": "9"}, {"user": "9"}) == unit


def test_a_missing_unit_is_none_whatever_the_context_is():
    split = Split(experiment({"a": 1}))
    assert [split.unit_of({"context": context}, {}) for context in ({}, None, [], "user", 3)] == [None] * 5
    stored = [
        split.unit_of({"context": context, "user": "u1"}, {}) for context in ({}, None, {"user": 2}, {"user": None})
    ]
    assert stored == ["u1", "u1", "2", None]
    by_header = Split(experiment({"a": 1}, unit=None, header="X-Experiment-Unit"))
    assert by_header.unit_of({"context": {"user": 7}}, {"X-Experiment-Unit": "u1"}) == "u1"
    assert by_header.unit_of({"context": {"user": 7}}, {"X-Experiment-Unit": ""}) is None
    assert by_header.unit_of({"context": {"user": 7}}, {}) is None
