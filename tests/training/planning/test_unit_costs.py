import copy
import json

import pytest

from tests.training.planning.made_up import COSTS, costs
from training.planning import CostsError, UnitCosts, shipped_costs
from training.planning.unit_costs import UNITS, read_costs, shown


def test_the_shipped_file_is_valid_and_plausible():
    found = shipped_costs()
    assert found.model.config == "demo.yaml"
    assert found.model.rounds >= 3
    # Between a hundred nanoseconds and a millisecond a row, on any machine of this century.
    for cost in (found.encode.cpu_s, found.train.cpu_s, found.score.cpu_s, found.join.cpu_s, found.rank.cpu_s):
        assert 1e-7 < cost.each < 1e-3
        assert cost.spread is not None
    assert found.tables.wire_bytes.at(1000, 64) > 1000 * 2 * 64  # read and moved
    assert "/" not in json.dumps(found.model_dump(mode="json"))  # no paths


def test_lines_and_pulls():
    made = costs()
    assert made.rank.cpu_s.at(100) == pytest.approx(2e-3)
    assert made.tables.wire_bytes.at(10, 40) == 1000 + 160 + 800


def test_rows_of_the_table_name_every_cost():
    rows = list(costs().rows())
    titles = [row[0] for row in rows if row[0]]
    assert titles[0] == "log cpu"
    assert len(titles) == sum(len(UnitCosts.model_fields[stage].annotation.model_fields) for stage in UNITS)


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [(2.5e-6, "cpu_s", "2.5 µs"), (0.0123, "cpu_s", "12.3 ms"), (0, "bytes", "0"), (1.5e6, "bytes", "1.5 MB"),
     (12.0, "bytes", "12 B"), (3e-10, "cpu_s", "0.3 ns"), (0.9999, "cpu_s", "1 s")],
)  # fmt: skip
def test_costs_are_shown_in_a_fitting_unit(value, name, text):
    assert shown(value, name) == text


def without(path):
    changed = copy.deepcopy(COSTS)
    *parents, last = path.split(".")
    place = changed
    for name in parents:
        place = place[name]
    del place[last]
    return changed


def changed_at(path, value):
    changed = without(path)
    *parents, last = path.split(".")
    place = changed
    for name in parents:
        place = place[name]
    place[last] = value
    return changed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (without("train.cpu_s"), "train.cpu_s"),
        (changed_at("format", 2), "format"),
        (changed_at("join.cpu_s", {"fixed": -1, "each": 1}), "join.cpu_s.fixed"),
        (changed_at("rank.memory_bytes", "much"), "rank.memory_bytes"),
        ({**COSTS, "encoding": {}}, "encoding"),
        (changed_at("model.reads", 0), "model.reads"),
        (changed_at("join.cpu_s", {"fixed": float("nan"), "each": 1}), "join.cpu_s.fixed"),
        (changed_at("join.cpu_s", {"fixed": float("inf"), "each": 1}), "join.cpu_s.fixed"),
        (changed_at("join.cpu_s", {"fixed": 1, "each": 1e300}), "join.cpu_s.each"),
    ],
)
def test_a_wrong_file_is_refused_by_the_place_of_its_mistake(tmp_path, content, said):
    file = tmp_path / "costs.json"
    file.write_text(json.dumps(content))
    with pytest.raises(CostsError, match=said) as caught:
        read_costs(file)
    assert str(file) in str(caught.value)
    assert "benchmarks.unit_costs" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[", "[]", "null", '{"format": NaN}', "\0"])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    file = tmp_path / "costs.json"
    file.write_text(text)
    with pytest.raises(CostsError, match=r"costs\.json"):
        read_costs(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CostsError, match=r"none\.json: cannot be read"):
        read_costs(tmp_path / "none.json")
