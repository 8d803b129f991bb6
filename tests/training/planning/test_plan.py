import json
import math

import pytest

from tests.training.planning.made_up import costs, line
from training.planning import PlanInputs, growths, plan, shipped_costs
from training.planning.growth import GROWN, grown
from training.planning.stages import STAGES
from training.planning.training_time import training_time

SMALL = PlanInputs(
    impressions_per_day=8.64e6, items=1e6, users=4e6, peak_rps=100, candidates=100, shown=10, width=10, batch=1000,
    machine_cores=10, machine_memory_gb=100, machine_network_gbit=8, headroom=0.5, window_hours=10,
)  # fmt: skip
"""10 requests a second on average; 5e6 rows of tables."""


def needs(name, inputs=SMALL, of=None):
    return plan(inputs, of or costs()).stages[name].needs


def test_service_is_held_for_the_peak_all_day():
    found = needs("serve")
    assert found.cpu_s == pytest.approx(864_000 * (1e-3 + 100 * 1e-5))  # requests a day
    assert found.cores == pytest.approx(100 * 2e-3 / 0.5)
    assert found.hours == 24
    assert found.memory == pytest.approx(10 * 3e8 + 5e6 * (10 * 4 + 100))
    assert found.network == pytest.approx(864_000 * (1000 + 100 * 200 + 200 + 10 * 100))


def test_each_replica_is_held_for_the_whole_peak():
    one, three = needs("serve"), needs("serve", SMALL.model_copy(update={"replicas": 3.0}))
    assert three.cores == pytest.approx(3 * one.cores)
    assert three.cpu_s == one.cpu_s


def test_int8_rows_have_a_scale():
    stored = SMALL.model_copy(update={"table_precision": "int8"})
    assert needs("serve", stored).memory == pytest.approx(10 * 3e8 + 5e6 * (10 + 4 + 100))
    assert needs("publish", stored).disk == pytest.approx(7 * (5e6 * 114 + 1e6))


def test_log_and_join_by_rows():
    found = needs("log")
    assert found.cpu_s == pytest.approx(864_000 * (1e-4 + 10 * 1e-5))
    assert found.disk == pytest.approx(864_000 * 10 * 20 * 30)
    joined = needs("join")
    assert joined.cpu_s == pytest.approx(10 + 8.64e6 * 1e-5)
    assert joined.cores == pytest.approx(joined.cpu_s / 36_000 / 0.5)
    assert joined.memory == 3e8
    assert joined.network == pytest.approx(8.64e6 * (20 + 50))
    assert joined.disk == pytest.approx(8.64e6 * 50 * 30)


def test_encoding_has_two_passes_over_the_days_and_holds_every_id():
    week = SMALL.model_copy(update={"train_days": 7.0})
    found = needs("encode", week)
    rows = 7 * 8.64e6
    assert found.cpu_s == pytest.approx(3 + rows * 3e-5)
    assert found.memory == pytest.approx(5e8 + 5e6 * 1000)
    assert found.disk == pytest.approx(rows * 300)
    assert found.network == pytest.approx(rows * (2 * 50 + 300))


def test_one_process_trains_what_fits_into_its_memory_and_the_night():
    made = plan(SMALL, costs())
    steps = 8.64e6 / 1000
    assert made.training.distribute == "one"
    assert made.training.seconds == pytest.approx(steps * (0.01 + 1000 * 5e-5))
    assert made.stages["train"].needs.memory == pytest.approx(1e9 + 1000 * 1e4 + 5e6 * 10 * 4 * 2)
    assert made.stages["train"].needs.cores == pytest.approx(1 / 0.5)
    assert made.stages["parameter servers"].money == 0


def test_a_worker_that_fills_half_of_a_machine_is_half_of_a_machine():
    half = SMALL.model_copy(update={"users": 290e6, "items": 10e6})  # 24 GB and 1, of 50 GB with 10 cores
    assert needs("train", half).cores == pytest.approx(25.01 / 50 * 10)


def test_fewest_workers_that_end_in_time_train_together():
    hurried = SMALL.model_copy(update={"window_hours": 0.1})  # 360 s for 8640 steps of 60 ms: 41.7 ms each at most
    made = plan(hurried, costs())
    time = made.training
    others = (time.workers - 1) / time.workers
    wire = others * (2 * 1e6 + 1000 * 10 * (10 * 4 + 8))
    assert time.distribute == "multi_worker"
    assert time.wire_s == pytest.approx(wire / 5e8)  # half of 8 Gbit/s
    assert time.seconds == pytest.approx(8640 * (0.01 + 1000 / time.workers * 5e-5 + wire / 5e8))
    assert time.seconds <= 360
    fewer = training_time(hurried.model_copy(update={"workers": float(time.workers - 1)}), costs())
    assert fewer.seconds > 360
    assert time.workers == 2


def test_more_workers_than_help_are_never_taken():
    impossible = SMALL.model_copy(update={"window_hours": 0.01})  # 36 s, and 8640 steps of 10 ms at the very least
    time = plan(impossible, costs()).training
    floor = 8640 * (0.01 + (2e6 + 1000 * 10 * 48) / 5e8)
    assert floor < time.seconds < 1.2 * floor
    assert time.workers < 200
    assert plan(impossible, costs()).exceeded[0] == "training time"


def test_a_batch_that_no_process_holds_is_divided_though_one_would_end_in_time():
    wide = SMALL.model_copy(update={"batch": 8e6})  # 80 GB a step, of 50 with 1 of its own and 0.4 of tables
    time = plan(wide, costs()).training
    assert (time.distribute, time.workers) == ("multi_worker", 2)
    assert time.why == "tables fit (0.4 GB), and with a whole batch of 8,000,000 rows a process would need 81.4 GB"
    assert "worker memory" not in plan(wide, costs()).exceeded
    on_servers = plan(wide.model_copy(update={"users": 2e9}), costs())
    assert (on_servers.training.distribute, on_servers.training.workers) == ("parameter_server", 2)
    assert "worker memory" not in on_servers.exceeded


@pytest.mark.parametrize("name", [name for name, value in SMALL if isinstance(value, int | float)])
@pytest.mark.parametrize("end", ["least", "most"])
def test_the_ends_of_every_range_give_finite_numbers(name, end):
    limits = {type(limit).__name__: limit for limit in PlanInputs.model_fields[name].metadata}
    value = limits["Ge"].ge if end == "least" else limits["Le"].le
    inputs = PlanInputs().model_copy(update={name: float(value)})
    made = plan(inputs, shipped_costs())
    numbers = [made.money, *made.limits.values(), made.training.seconds]
    assert all(math.isfinite(number) for number in numbers)
    assert all(math.isfinite(each.money) for each in growths(inputs, shipped_costs()))


def test_servers_are_enough_for_what_workers_ask():
    slow = SMALL.model_copy(update={"users": 2e9, "machine_network_gbit": 0.01, "workers": 40.0})
    time = plan(slow, costs()).training
    assert time.servers == 40  # steps are almost all network, so each worker keeps a server busy
    assert time.wire_s > 10 * time.compute_s


def test_servers_hold_tables_that_do_not_fit_into_a_worker():
    large = SMALL.model_copy(update={"users": 2e9, "items": 1e6})
    made = plan(large, costs())
    time, size = made.training, (2e9 + 1e6) * 10 * 4 * 2
    assert time.distribute == "parameter_server"
    assert time.servers == 4  # 160 GB, of 50 GB a machine
    assert made.stages["parameter servers"].needs.memory == pytest.approx(size / 4)
    reads = 1000 / time.workers * 10
    assert time.server_cpu_s == pytest.approx(8640 * time.workers * (1e-3 + reads * (1e-6 + 40 * 1e-9)))
    assert time.compute_s == pytest.approx(0.01 + 1000 / time.workers * 5e-5 + 2e-3 + reads * (1e-6 + 40 * 2e-9))
    assert made.stages["train"].needs.memory == pytest.approx(1e9 + 1000 / time.workers * 1e4)


def test_money_is_that_of_cores_disk_and_network():
    made = plan(SMALL.model_copy(update={"core_hour": 1.0, "gb_month": 30.0, "gb_egress": 10.0}), costs())
    logged = made.stages["log"]
    assert logged.compute_money == pytest.approx(logged.needs.cores * 24)
    assert logged.storage_money == pytest.approx(logged.needs.disk / 1e9)
    assert logged.network_money == pytest.approx(logged.needs.network / 1e8)
    assert made.money == pytest.approx(sum(stage.money for stage in made.stages.values()))


@pytest.mark.parametrize("of", [costs(), shipped_costs()], ids=["made up", "shipped"])
@pytest.mark.parametrize("name", [*GROWN, "epochs", "train_days", "days_kept", "replicas"])
def test_more_never_costs_less(name, of):
    for inputs in (SMALL, PlanInputs()):
        before = plan(inputs, of)
        for factor in (1.01, 3.0, 10.0):
            after = plan(grown(inputs, name, factor), of)
            assert after.money >= before.money * (1 - 1e-9)
            before = after


def test_twice_the_rows_take_twice_the_night_without_what_is_spent_once():
    free = costs(
        join={"cpu_s": line(0, 1e-5), "memory_bytes": 3e8},
        encode={"cpu_s": line(0, 2e-5), "fit_cpu_s": line(0, 1e-5), "bytes": line(0, 300), "memory_bytes": 5e8},
        score={"cpu_s": line(0, 2e-5), "bytes": line(0, 16), "memory_bytes": 4e8},
    )
    doubled = grown(SMALL, "impressions_per_day", 2)
    for name in ("log", "join", "encode", "train", "score"):
        one, two = needs(name, SMALL, free), needs(name, doubled, free)
        assert two.cpu_s == pytest.approx(2 * one.cpu_s)
        assert two.disk == pytest.approx(2 * one.disk)
        assert two.network == pytest.approx(2 * one.network)


def test_all_of_it_is_plain_data_with_formulas_and_assumptions():
    made = plan(SMALL, costs())
    written = json.loads(json.dumps(made.to_dict()))
    assert list(written["stages"]) == list(STAGES)
    for stage in written["stages"].values():
        assert stage["formulas"]
        assert stage["money"]["total"] >= 0
    assert written["inputs"]["users"] == 4e6
    assert any("made_up.yaml" in text and "2026-01-31" in text for text in written["assumptions"])
    assert any(f"{SMALL.core_hour:g} a core hour" in text for text in written["assumptions"])


def test_nothing_scored_costs_nothing():
    found = needs("score", SMALL.model_copy(update={"scored_per_day": 0.0}))
    assert (found.cpu_s, found.network, found.disk) == (0, 0, 0)
