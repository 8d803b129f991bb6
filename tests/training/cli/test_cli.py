import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.cli.test_odd_commands import COMMANDS
from tests.training.command import ranker_train
from tests.training.conftest import QUICK, written
from tests.training.reports.browser import dom


def table_of(folder):
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


def test_help_lists_every_command():
    command = [sys.executable, "-m", "training.cli", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(name in ended.stdout for name in COMMANDS)


def test_schema_is_json_schema_of_the_sections():
    schema = json.loads(ranker_train("schema").stdout)
    assert {"data", "schema", "architecture", "weighting", "fusion"} <= set(schema["properties"])
    assert "ple" in json.dumps(schema)


def test_simulate_writes_as_many_rows_as_asked(tmp_path):
    ended = ranker_train("simulate", "--rows", 500, "--seed", 1, "--output", tmp_path / "log")
    assert "500 impressions" in ended.stdout
    assert table_of(tmp_path / "log").num_rows == 500
    again = ranker_train("simulate", "--rows", 500, "--output", tmp_path / "log")
    assert again.returncode == 1
    assert again.stderr.startswith("error:")


def test_evaluate_writes_metrics_of_every_task(trained, tmp_path):
    files = sorted(trained.log.glob("*.parquet"))
    ended = ranker_train(
        *("evaluate", trained.output, "--data", *files, "--json", tmp_path / "m.json", "--bootstrap", 5),
        *("--fusion", "all", "--list-by", "request_id,date", "--relevance", "rel = 5*like + click"),
        *("--metrics", "click.ndcg@5,rel.ndcg@5", "--metrics", "fused(default).gauc(like)"),
    )
    assert ended.returncode == 0, ended.stderr
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert set(metrics["tasks"]) == {"click", "like", "watch_time"}
    assert 0.5 < metrics["tasks"]["click"]["auc"] < 1
    assert "AUC" in ended.stdout
    rankings = metrics["rankings"]
    assert (rankings["list_by"], rankings["rows"]) == (["request_id", "date"], 4000)
    assert list(rankings["metrics"]) == [
        *("click.ndcg@5", "fused(default).ndcg@5(click)", "fused(default).ndcg@5(rel)", "fused(default).gauc(like)")
    ]
    for found in rankings["metrics"].values():
        low, high = found["interval"]
        assert 0 < low <= high < 1
        assert 0 < found["value"] < 1
    assert "4,000 rows in 400 lists by request_id, date" in ended.stdout
    by_environment = ranker_train(
        "evaluate", trained.output, "--json", tmp_path / "e.json", RANKER_DATA=":".join(map(str, files))
    )
    assert by_environment.returncode == 0, by_environment.stderr
    again = json.loads((tmp_path / "e.json").read_text())
    assert again["tasks"]["click"]["auc"] == metrics["tasks"]["click"]["auc"]


def test_evaluate_on_the_held_out_rows_repeats_the_validation(trained, tmp_path):
    table = table_of(trained.log)
    last = sorted(set(table["date"].to_pylist()))[-2]
    pq.write_table(table.filter([date >= last for date in table["date"].to_pylist()]), tmp_path / "held.parquet")
    ranker_train("evaluate", trained.output, "--data", tmp_path / "held.parquet", "--json", tmp_path / "m.json")
    metrics = json.loads((tmp_path / "m.json").read_text())
    saved = json.loads((trained.output / "1" / "manifest.json").read_text())["metrics"]
    for task, name in (("click", "auc"), ("like", "gauc"), ("watch_time", "rmse")):
        assert metrics["tasks"][task][name] == pytest.approx(saved["tasks"][task][name], abs=1e-5)


def test_evaluate_on_the_validation_rows_alone_repeats_the_validation(trained, tmp_path):
    ended = ranker_train(
        "evaluate", trained.output, "--data", trained.log, "--validation", "--json", tmp_path / "m.json"
    )
    assert ended.returncode == 0, ended.stderr
    assert "held-out rows" in ended.stdout
    assert "caution" not in ended.stdout
    metrics = json.loads((tmp_path / "m.json").read_text())
    saved = json.loads((trained.output / "1" / "manifest.json").read_text())["metrics"]
    for task, name in (("click", "auc"), ("like", "gauc"), ("watch_time", "rmse")):
        assert metrics["tasks"][task][name] == pytest.approx(saved["tasks"][task][name], abs=1e-5)
    assert metrics["cautions"] == []


def test_evaluate_says_how_many_rows_were_trained_on(trained, tmp_path):
    dates = table_of(trained.log)["date"].to_pylist()
    seen = sum(date < sorted(set(dates))[-2] for date in dates)
    ended = ranker_train(
        "evaluate", trained.output, "--data", trained.log, "--json", tmp_path / "m.json", "--bootstrap", 0
    )
    (caution,) = json.loads((tmp_path / "m.json").read_text())["cautions"]
    assert f"{seen:,} of 4,000 rows" in caution
    assert "--validation" in caution
    assert "caution: " in ended.stdout


def test_export_takes_the_best_epoch_of_a_run(quickly_trained, tmp_path):
    ended = ranker_train("export", quickly_trained.output, "--output", tmp_path)
    assert ended.returncode == 0, ended.stderr
    first, again = (json.loads((p / "1" / "golden.json").read_text()) for p in (quickly_trained.output, tmp_path))
    assert first == again


@pytest.mark.parametrize("command", ["fit", "evaluate", "export"])
def test_errors_are_one_line_and_no_traceback(trained, tmp_path, command):
    arguments = {
        "fit": (trained.config, "--data", tmp_path / "none.parquet", "--output", tmp_path),
        "evaluate": (tmp_path, "--data", trained.log),
        "export": (tmp_path,),
    }[command]
    ended = ranker_train(command, *arguments)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr


def test_a_bad_label_is_named_by_file_row_and_value(trained, tmp_path):
    table = table_of(trained.log)
    labels = table["click"].to_pylist()
    labels[2345] = 7
    pq.write_table(table.set_column(table.schema.get_field_index("click"), "click", [labels]), tmp_path / "bad.parquet")
    ended = ranker_train("fit", written(tmp_path), "--data", tmp_path / "bad.parquet", "--output", tmp_path / "out")
    assert "bad.parquet, row 2345, column 'click': 7.0 is not a label in {0, 1}" in ended.stderr
    assert ended.returncode == 1


def test_compare_runs_every_trial_in_its_own_process_and_writes_one_report(log, tmp_path):
    config = written(tmp_path, QUICK, training={"epochs": 1, "batch_size": 256}, weighting="pe_ltr")
    ended = ranker_train(
        *("compare", config, "--data", log, "--output", tmp_path),
        *("--vary", "architecture=mmoe,shared_bottom", "--jobs", 2),
    )
    assert ended.returncode == 0, ended.stderr
    saved = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [row["name"] for row in saved] == ["mmoe", "shared_bottom"]
    for row in saved:
        assert not row["errors"]
        assert set(row["tasks"]) == {"click", "like", "watch_time"}
        assert 0.3 < row["mean_auc"]["mean"] < 1
        assert all(row["costs"][name] > 0 for name in ("flops_per_candidate", "samples_per_second", "serving_ms"))
    assert saved[0]["gates"]["gates"]
    assert not saved[1]["gates"]["gates"]
    shown = dom((tmp_path / "report.html").read_text(), tmp_path)
    assert shown.count('class="marks"') == 13  # three of quality against cost, two of gates, eight of the steps
    assert "shared_bottom" in shown


def test_compare_says_what_cannot_be_varied(trained, tmp_path):
    ended = ranker_train("compare", trained.config, "--output", tmp_path, "--vary", "architecture=mmo")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: --vary architecture=mmo")


def test_inspect_prints_blocks_and_gates_and_the_agreement_of_each_precision(trained):
    ended = ranker_train("inspect", trained.output, "--depth", 3)
    assert ended.returncode == 0, ended.stderr
    for text in (
        "embedding",
        "trunk",
        "head_click",
        "FLOPs per candidate",
        "gate_like",
        "entropy",
        "stacked, for a GPU: ",
    ):
        assert text in ended.stdout
    for engine in ("openvino", "onnxruntime"):
        (line,) = (line for line in ended.stdout.splitlines() if line.startswith(f"{engine} on cpu in float32: "))
        assert ": NDCG@10 1.00000, top-10 overlap " in line
