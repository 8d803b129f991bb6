import shutil

import numpy as np
import pytest

from tests.training.conftest import quick
from training.config.training import Training
from training.progress_listener import RunListener
from training.trainer.precision import _cpu_flags, chosen
from training.trainer.train import train


@pytest.mark.parametrize(
    ("asked", "flags", "precision"),
    [
        ("float32", {"amx_bf16"}, "float32"),
        ("bfloat16", {"amx_bf16"}, "bfloat16"),
        ("auto", {"avx2", "avx512_bf16"}, "bfloat16"),
        ("auto", {"avx2", "avx512f"}, "float32"),
        ("auto", set(), "float32"),
    ],
)
def test_auto_is_what_the_cpu_computes_faster(asked, flags, precision):
    answer = chosen(Training(precision=asked), frozenset(flags))
    assert answer.precision == precision
    assert answer.line == f"training on the CPU, matrix products in {precision}"


def test_where_bfloat16_is_slower_the_line_says_so():
    assert chosen(Training(precision="bfloat16"), frozenset({"avx2"})).line == (
        "training on the CPU, matrix products in bfloat16: slower than float32 on this CPU, "
        "which has none of amx_bf16, avx512_bf16"
    )


def test_flags_are_those_of_the_first_cpu(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\nflags\t\t: fpu\n")
    assert _cpu_flags(file) == {"fpu", "avx2", "amx_bf16"}
    assert _cpu_flags(tmp_path / "none") == frozenset()


def test_a_run_in_bfloat16_resumes_to_the_same_result(log, tmp_path):
    settings = {"epochs": 2, "batch_size": 256, "precision": "bfloat16"}
    wide = {"name": "shared_bottom", "bottom": [16], "towers": [8]}
    config = quick(tmp_path, training=settings, architecture=wide)

    def keep(record):
        if record["epoch"] == 1:  # what is on the disk if the run is killed now
            shutil.copytree(tmp_path / "whole", tmp_path / "cut")

    notes = []
    whole = train(config, [log], tmp_path / "whole", RunListener(epoch=keep, note=notes.append))
    assert any("matrix products in bfloat16" in note for note in notes)
    resumed = train(config, [log], tmp_path / "cut", RunListener(note=notes.append))
    assert any("resuming from epoch 2, step 0" in note for note in notes)
    assert resumed.metrics == whole.metrics
    assert all(np.isfinite(list(record["losses"].values())).all() for record in whole.history)
