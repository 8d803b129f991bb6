"""Progress in a notebook, where nothing can be redrawn without ipywidgets."""

import warnings

from rich.console import Console

from training.cli.terminal import LOG_WIDTH, console_for_commands
from training.display import Display, live, metrics_table, status


def test_a_notebook_without_widgets_gets_lines_and_no_warning(monkeypatch):
    monkeypatch.setattr("training.display.find_spec", lambda _: None)
    console = Console(record=True, width=80)
    monkeypatch.setattr(console, "is_jupyter", True)
    assert not live(console)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Display(console) as display, status(console, "fitting fusions"):
            display.expect(10)
            display.rows("encode", 10)
            display.step(1, 1, 2, {"click": 0.5})
            display.note("a note")
    assert console.export_text().splitlines() == ["fitting fusions", "a note"]


def test_epochs_name_the_model_if_a_run_trains_several():
    console = Console(record=True, width=80)
    record = {"epoch": 1, "best": True, "tasks": {"click": {"auc": 0.7}}, "mean_auc": 0.7}
    with Display(console) as display:
        display.model("member 1 of 3")
        display.step(1, 1, 2, {"click": 0.5})
        display.epoch(record)
        display.model("distilled model")
        display.epoch(record)
    text = console.export_text()
    assert "member 1 of 3, epoch 1: click auc 0.7000" in text
    assert "distilled model, epoch 1: click auc 0.7000" in text


def _metrics(width):
    names = ("auc", "gauc", "log_loss", "calibration", "mae", "rmse", "xauc", "gini")
    report = dict.fromkeys(names, 0.51234) | {f"{name}_interval": (0.5, 0.53) for name in names} | {"rows": 1234}
    console = Console(record=True, width=width)
    console.print(metrics_table({"tasks": {"watch_time": report}}, "validation"))
    return console.export_text()


def test_a_narrow_terminal_breaks_numbers_and_cuts_none():
    assert "\N{HORIZONTAL ELLIPSIS}" not in _metrics(80)


def test_a_log_is_wide_enough_for_whole_numbers(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    console = console_for_commands()
    assert console.is_terminal or console.width >= LOG_WIDTH
    assert _metrics(LOG_WIDTH).count("±0.0150") == _metrics(LOG_WIDTH).count("0.5123") > 4
    monkeypatch.setenv("COLUMNS", "90")
    assert console_for_commands().width == 90
