import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from training.simulator import OBJECTIVES, SCHEMA, SimulatorConfig, World, impressions, log_table

SMALL = SimulatorConfig(rows=3_333, seed=5, users=40, items=120, authors=12, days=3, history_length=6)


@pytest.fixture(scope="module")
def small() -> pa.Table:
    return log_table(SMALL)


def column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy())


def test_the_same_config_gives_the_same_log_and_another_seed_another(small: pa.Table) -> None:
    assert log_table(SMALL).equals(small)
    assert not log_table(SMALL.model_copy(update={"seed": 6}))["item_id"].equals(small["item_id"])


def test_has_the_rows_and_the_columns_that_were_asked_for(small: pa.Table) -> None:
    small.validate(full=True)
    assert small.schema == SCHEMA
    assert small.num_rows == 3_333  # not a multiple of the ten rows of a session
    assert {name for name in SCHEMA.names if small[name].null_count} == {"user_age"}
    assert log_table(SMALL.model_copy(update={"rows": 1})).num_rows == 1


def test_rows_are_sorted_by_time_and_dated(log: pa.Table) -> None:
    time = column(log, "timestamp_ms")
    assert (np.diff(time) >= 0).all()
    moments = time.astype("datetime64[ms]")
    dates = np.array([int(str(d).replace("-", "")) for d in moments.astype("datetime64[D]")])
    np.testing.assert_array_equal(column(log, "date"), dates)
    np.testing.assert_array_equal(column(log, "hour"), time // 3_600_000 % 24)
    assert sorted(set(dates.tolist())) == [20250106, 20250107, 20250108, 20250109, 20250110]


def test_a_session_shows_one_user_distinct_items_at_positions_from_one(log: pa.Table, world: World) -> None:
    shown = world.config.shown_per_session
    sessions = {
        name: column(log, name).reshape(-1, shown)
        for name in ("request_id", "user_id", "timestamp_ms", "device", "item_id", "position")
    }
    np.testing.assert_array_equal(sessions["request_id"][:, 0], np.arange(log.num_rows // shown))
    for name in ("request_id", "user_id", "timestamp_ms", "device"):
        assert (sessions[name] == sessions[name][:, :1]).all(), name
    assert (sessions["position"] == np.arange(1, shown + 1)).all()
    ordered = np.sort(sessions["item_id"], axis=1)
    assert (ordered[:, 1:] > ordered[:, :-1]).all()
    assert column(log, "item_age_days").min() == 0


def test_features_are_those_of_the_user_and_of_the_item(small: pa.Table) -> None:
    world = World(SMALL)
    rows = small.slice(1_000, 50).to_pylist()
    for row in rows:
        item, age = row["item_id"], world.users.age[row["user_id"]]
        assert row["user_age"] == (None if np.isnan(age) else age)
        assert row["author_id"] == world.items.author[item]
        assert row["duration_s"] == world.items.duration[item]
        assert row["item_embedding"] == world.items.embedding[item].tolist()
        assert all(tag.startswith(row["category"] + "_") for tag in row["tags"])


def test_history_is_what_the_user_clicked_before_the_session(small: pa.Table) -> None:
    clicked: dict[int, list[int]] = {}
    rows = small.select(["request_id", "user_id", "item_id", "click", "history"]).to_pylist()
    before: list[int] = []
    request = -1
    longest = 0
    for row in rows:
        past = clicked.setdefault(row["user_id"], [])
        if row["request_id"] != request:
            request, before = row["request_id"], past[-6:]
        assert row["history"] == before
        longest = max(longest, len(before))
        if row["click"]:
            past.append(row["item_id"])
    assert longest == 6


def test_history_goes_on_from_block_to_block(log: pa.Table) -> None:
    # 2,400 sessions a day, each day a block: the last rows' histories hold clicks of earlier days.
    last = log.slice(log.num_rows - 1_000).to_pylist()
    early = log.slice(0, log.num_rows // 5).filter(pc.equal(log["click"].slice(0, log.num_rows // 5), 1))
    clicks = set(zip(early["user_id"].to_pylist(), early["item_id"].to_pylist(), strict=True))
    assert sum((row["user_id"], item) in clicks for row in last for item in row["history"]) > 500


def test_only_what_was_clicked_is_watched_liked_and_shared(log: pa.Table) -> None:
    labels = {name: column(log, name) for name in OBJECTIVES}
    idle = labels["click"] == 0
    for name in OBJECTIVES[1:]:
        assert not labels[name][idle].any(), name
    for name in OBJECTIVES[:4]:
        assert set(np.unique(labels[name])) == {0, 1}
    share = labels["watch_time"] / column(log, "duration_s")
    long_view = labels["long_view"] == 1
    assert share[long_view].min() >= 0.7 - 1e-6
    assert share[~long_view].max() <= 0.7 + 1e-6
    assert share.max() <= 1.0 + 1e-6


def test_rates_are_those_of_the_config(log: pa.Table, world: World) -> None:
    for name in ("click", "long_view", "like", "share"):
        target = getattr(world.config, f"{name}_rate")
        assert column(log, name).mean() == pytest.approx(target, rel=0.1), name


def test_labels_follow_the_truth_times_examination(log: pa.Table, world: World) -> None:
    expected = world.expected(column(log, "user_id"), column(log, "item_id"))
    seen = world.config.examination(10)[column(log, "position") - 1]
    for name in OBJECTIVES:
        # 0.01 for watch_time is four standard errors of its mean, relative, at 120,000 rows.
        mean = (expected[name] * seen).mean()
        error = 0.01 if name == "watch_time" else 4.0 / np.sqrt(mean * log.num_rows)
        assert column(log, name).mean() == pytest.approx(mean, rel=error), name


def test_position_bias_is_in_the_log_but_not_in_the_truth(log: pa.Table, world: World) -> None:
    truth = world.expected(column(log, "user_id"), column(log, "item_id"))["click"]
    click, position = column(log, "click"), column(log, "position")
    ratios = [click[position == k].mean() / truth[position == k].mean() for k in range(1, 11)]
    np.testing.assert_allclose(ratios, np.arange(1, 11) ** -0.3, rtol=0.04)

    flat = world.config.model_copy(update={"position_bias": 0.0, "rows": 50_000})
    table = log_table(flat)
    truth = World(flat).expected(column(table, "user_id"), column(table, "item_id"))["click"]
    click, position = column(table, "click"), column(table, "position")
    ratios = [click[position == k].mean() / truth[position == k].mean() for k in range(1, 11)]
    np.testing.assert_allclose(ratios, 1.0, rtol=0.06)


def test_the_truth_separates_labels_far_better_than_popularity(log: pa.Table, world: World) -> None:
    users, items = column(log, "user_id"), column(log, "item_id")
    expected = world.expected(users, items)
    shown = np.bincount(items)[items]
    for name in OBJECTIVES[:4]:
        label = column(log, name)
        truth = roc_auc_score(label, expected[name])
        assert 0.74 < truth < 0.87, name
        assert truth > roc_auc_score(label, shown) + 0.15, name


def test_blocks_are_small_whatever_the_rows() -> None:
    blocks = impressions(World(SMALL.model_copy(update={"rows": 10**12})))
    assert [next(blocks).num_rows for _ in range(2)] == [25_000, 25_000]
