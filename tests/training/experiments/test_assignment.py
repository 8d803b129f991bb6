"""The test for a sample ratio mismatch, and where shares come from."""

import numpy as np
import pytest
from scipy import stats

from ranker.config.file import ConfigError
from training.experiments.assignment import mismatch, shares_in, shares_of

EVEN = {"control": 0.5, "bold": 0.5}


def judged(units, shares=EVEN, level=0.001, sequential=False):
    return mismatch(units, shares, level, sequential=sequential)


def test_the_p_value_is_that_of_the_chi_square_test():
    units, shares = {"a": 480, "b": 260, "c": 260}, {"a": 2, "b": 1, "c": 1}
    found = judged(units, shares)
    assert found.p == pytest.approx(stats.chisquare([480, 260, 260], [500, 250, 250]).pvalue)
    assert found.expected == {"a": 500, "b": 250, "c": 250}
    assert not found.failed


def test_a_lost_share_of_units_fails_in_both_tests():
    for sequential in (False, True):
        assert judged({"control": 10_000, "bold": 9_200}, sequential=sequential).failed
        assert not judged({"control": 10_000, "bold": 9_900}, sequential=sequential).failed


def test_the_sequential_test_raises_few_alarms_however_often_one_looks():
    rng, level = np.random.default_rng(5), 0.05
    alarms = fixed = 0
    for _ in range(300):
        drawn = np.cumsum(rng.random(3000) < 0.5)[99::100]
        looks = [{"control": 100 * (i + 1) - int(n), "bold": int(n)} for i, n in enumerate(drawn)]
        alarms += any(judged(units, level=level, sequential=True).failed for units in looks)
        fixed += any(judged(units, level=level).failed for units in looks)
    assert alarms <= 300 * level < 0.15 * 300 < fixed


def test_few_units_are_not_judged():
    assert judged({"control": 4, "bold": 5}).p is None
    assert not judged({"control": 4, "bold": 5}).failed
    assert judged({"control": 6, "bold": 5}).p is not None


def test_a_group_of_the_shares_that_has_no_units_counts():
    assert judged({"control": 100, "bold": 100}, {**EVEN, "lost": 0.5}).failed


def test_units_without_a_share_are_refused():
    with pytest.raises(ValueError, match="the group 'bald' has no share; did you mean 'bold'"):
        judged({"control": 5, "bald": 5})
    with pytest.raises(ValueError, match="the group 'bold' has 5 units, though its share is 0"):
        judged({"control": 5, "bold": 5}, {"control": 1, "bold": 0})


def test_shares_as_text():
    assert shares_of("control=0.9, bold = 0.1") == {"control": 0.9, "bold": 0.1}


@pytest.mark.parametrize(
    "text",
    ["", "control", "control=", "control=x", "=1", "a=1,a=1", "a=-1", "a=nan", "a=inf", "a=0", "a=1e308,b=1e308"],
)
def test_what_are_no_shares_is_refused(text):
    with pytest.raises(ConfigError, match="--shares"):
        shares_of(text)


def test_shares_of_a_models_file(tmp_path):
    path = tmp_path / "models.yaml"
    groups = "{control: {share: 0.9}, bold: {share: 0.1}}"
    path.write_text(f"models: {{m: {{path: x}}}}\nexperiment: {{name: e, unit: u, groups: {groups}}}\n")
    assert shares_in(path, "e") == {"control": 0.9, "bold": 0.1}
    with pytest.raises(ConfigError, match="the experiment there is 'e', and not 'f'"):
        shares_in(path, "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {}", "has no experiment with groups"),
        ("experiment: 5", "has no experiment with groups"),
        ("experiment: {name: e, groups: {a: 1}}", "experiment.groups.a.share must be a number from 0, got None"),
        ("experiment: {name: e, groups: {a: {share: true}}}", "got True"),
        ("experiment: {name: e, groups: {a: {share: -1}}}", "got -1"),
        ("experiment: {name: e, groups: {a: {share: 0}}}", "sum to 0"),
        ("- 1", "is a list"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_models_file_without_shares_is_refused(tmp_path, text, message):
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        shares_in(path, "e")
