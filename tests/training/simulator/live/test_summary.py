import pytest

from training.simulator import World
from training.simulator.live import Answers, Crowd, Visits, rounds
from training.simulator.live.summary import Summary


def test_truth_is_summed_up_by_group(world: World) -> None:
    def rank(visits: Visits) -> Answers:
        groups = [(None, "a", "b")[user % 3] for user in visits.users.tolist()]
        return Answers(visits.candidates[:, :10], groups=groups)

    summary, truth = Summary(), []
    for block in rounds(Crowd(world), rank, 300, block=100):
        summary.add(block)
        truth.extend(block.truth().to_pylist())
    assert set(summary.groups) == {None, "a", "b"}
    for name, found in summary.groups.items():
        its = [row for row in truth if row["group"] == name]
        assert found.requests == found.answered == len(its)
        assert found.users == {row["user"] for row in its}
        assert found.utility == pytest.approx(sum(row["utility"] for row in its))
        assert found.best == pytest.approx(sum(row["best"] for row in its))
        assert found.clicks == sum(row["drawn_click"] for row in its)
        assert found.per_request == pytest.approx(found.utility / len(its))
        assert found.per_user == pytest.approx(found.utility / len(found.users))
