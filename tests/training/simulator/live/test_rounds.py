import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ranker.exposures.columns import ITEM, REQUEST, ROW
from training.simulator import World
from training.simulator.live import NO_ITEM, Answers, Crowd, CrowdOptions, Ranker, Visits, exposures, rounds


def test_equal_rankers_give_equal_rounds(world: World, retrieved: Ranker) -> None:
    one, two = (list(rounds(Crowd(world, CrowdOptions(seed=1)), retrieved, 600, block=256)) for _ in range(2))
    assert [len(each.visits) for each in one] == [256, 256, 88]
    for a, b in zip(one, two, strict=True):
        assert a.truth().equals(b.truth())
        assert a.events.table().equals(b.events.table())


def test_a_better_ranking_earns_more(world: World, retrieved: Ranker, best: Ranker) -> None:
    plain, ideal = (
        pa.concat_tables(each.truth() for each in rounds(Crowd(world), rank, 2_000)) for rank in (retrieved, best)
    )
    np.testing.assert_allclose(ideal["utility"].to_numpy(), ideal["best"].to_numpy())
    assert pc.mean(ideal["utility"]).as_py() > 1.3 * pc.mean(plain["utility"]).as_py()
    assert pc.sum(ideal["drawn_click"]).as_py() > pc.sum(plain["drawn_click"]).as_py()


def test_exposures_have_the_columns_of_the_exposure_log(world: World) -> None:
    def rank(visits: Visits) -> Answers:
        items = visits.candidates[:, :10].copy()
        items[0, 3:] = NO_ITEM
        items[1] = NO_ITEM
        group = [None if user % 3 == 0 else f"g{user % 3}" for user in visits.users.tolist()]
        return Answers(items, groups=group, experiment="colours", propensity=np.full(items.shape, 0.5))

    crowd = Crowd(world)
    (found,) = rounds(crowd, rank, 20)
    table = exposures(crowd, found.visits, found.answers, features=True)
    for name, kind in {**REQUEST, **ROW, ITEM: pa.int64()}.items():
        assert table.schema.field(name).type == kind
    assert table.num_rows == 3 + 18 * 10
    assert table["request_id"].to_pylist()[:4] == [found.visits.ids[0]] * 3 + [found.visits.ids[2]]
    assert table["place"].to_pylist()[:4] == [1, 2, 3, 1]
    assert table["returned"].to_pylist()[:4] == [3, 3, 3, 10]
    assert table["unit"].to_pylist() == [str(user) for user in table["context.user_id"].to_pylist()]
    np.testing.assert_array_equal(table["candidate.item_id"].to_numpy(), table["item"].to_numpy())
    truth = found.truth()
    assert truth["answered"].to_pylist()[:3] == [True, False, True]
    assert truth["utility"][1].as_py() == 0.0
