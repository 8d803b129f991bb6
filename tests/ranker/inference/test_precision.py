"""Precisions by name: the bound on rankings, and what ``auto`` takes. Scores are those of a real session, rounded."""

import pytest

import ranker
from ranker.artifact import ArtifactError
from ranker.engines import ENGINES, EngineError, EngineOptions, OpenVino, engine_of
from ranker.inference.precision import NAMES, TOLERANCES, load_engine, tolerance_of
from tests.rounded import LOADED, Rounded


@pytest.fixture
def rounded(monkeypatch):
    monkeypatch.setitem(ENGINES._entries, "rounded", Rounded)
    LOADED.clear()


def loaded(artifact, precision, **options):
    return load_engine(artifact, "rounded", EngineOptions(threads=1, precision=precision), **options)


def test_a_named_precision_is_taken_or_refused_by_the_bound_on_rankings(artifact, rounded):
    engine, agreement = loaded(artifact, "bfloat16")
    assert engine.precision == "bfloat16"
    assert 0.999 <= agreement.ndcg < 1
    assert 1e-5 < agreement.difference < 2e-2
    assert loaded(artifact, "float32").agreement is None
    refused = (
        r"precision 'bfloat16' is refused: rankings by fusion 'default' agree .* NDCG@10 of 0\.9999\d on 1 requests .*"
        r"precision_min_ndcg is 0\.99999; choose float32 or auto"
    )
    with pytest.raises(EngineError, match=refused):
        loaded(artifact, "bfloat16", min_ndcg=0.99999)
    with pytest.raises(EngineError, match=r"'float16' is refused: scores differ by up to 1\.2e-01 .* more than 1e-02"):
        loaded(artifact, "float16", min_ndcg=0.0)
    with pytest.raises(EngineError, match="no tensor cores here"):
        loaded(artifact, "tf32")


def test_auto_takes_the_fastest_that_keeps_the_bound_and_says_which_it_cannot_take(artifact, rounded):
    told = []
    engine, agreement = loaded(artifact, "auto", refused=lambda *what: told.append(what))
    assert engine.precision == "bfloat16"
    assert agreement.ndcg >= 0.999
    assert [name for name, _ in told] == ["float16", "tf32"]
    assert "scores differ by up to 1.2e-01" in told[0][1]
    told.clear()
    engine, agreement = loaded(artifact, "auto", min_ndcg=1.0, refused=lambda *what: told.append(what))
    assert (engine.precision, agreement) == ("float32", None)
    assert [name for name, _ in told] == ["bfloat16", "float16", "tf32"]
    assert "NDCG@10" in told[0][1]


def test_auto_keeps_float32_unless_another_is_clearly_faster(artifact, rounded, monkeypatch):
    monkeypatch.setattr("ranker.inference.precision.GAIN", 1e9)
    assert loaded(artifact, "auto").engine.precision == "float32"


def test_processes_take_what_the_first_one_chose(artifact, rounded, tmp_path, monkeypatch):
    assert loaded(artifact, "auto", choices=tmp_path / "choices").engine.precision == "bfloat16"
    LOADED.clear()
    monkeypatch.setattr("ranker.inference.precision.GAIN", 1e9)  # alone, it would now choose otherwise
    engine, agreement = loaded(artifact, "auto", choices=tmp_path / "choices")
    assert (engine.precision, LOADED) == ("bfloat16", ["bfloat16"])
    assert agreement.ndcg >= 0.999
    assert loaded(artifact, "auto", choices=tmp_path / "choices", min_ndcg=0.9).engine.precision == "float32"  # anew
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="the chosen precision cannot be shared"):
        loaded(artifact, "auto", choices=tmp_path / "file")


def test_a_precision_that_the_machine_lacks_is_an_error_that_names_the_possible_ones(artifact):
    with pytest.raises(
        EngineError, match=r"'tf32': engine 'onnxruntime' on device 'cpu'.* computes in float32; choose"
    ):
        engine_of("onnxruntime", artifact.model_path, EngineOptions(precision="tf32"))
    with pytest.raises(EngineError, match=r"'bfloat16': engine 'tensorflow'"):
        engine_of("tensorflow", artifact.model_path, EngineOptions(precision="bfloat16"))
    none = r"'tf32': no engine has it on device 'cpu' .*openvino: float32.*; onnxruntime: float32\); choose"
    with pytest.raises(EngineError, match=none):
        engine_of("auto", artifact.model_path, EngineOptions(precision="tf32"))
    with pytest.raises(EngineError, match="CUDAExecutionProvider"):
        engine_of("auto", artifact.model_path, EngineOptions("cuda", precision="tf32"))
    unknown = EngineOptions(precision="bfloat")
    for call in (lambda o: engine_of("auto", artifact.model_path, o), lambda o: load_engine(artifact, "auto", o)):
        with pytest.raises(EngineError, match=r"precision 'bfloat' is unknown; did you mean 'bfloat16'\?"):
            call(unknown)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_openvino_computes_in_16_bits_or_says_that_the_processor_cannot(artifact, precision, monkeypatch):
    """Asked for what it cannot do, OpenVINO itself would run in 32 bits and say nothing."""
    options = EngineOptions(threads=1, precision=precision)
    if precision in OpenVino.precisions("cpu"):
        engine, agreement = load_engine(artifact, "auto", options)
        assert (engine.name, engine.precision) == ("openvino", precision)
        assert agreement.ndcg >= 0.999
        assert 0 < agreement.difference < TOLERANCES[precision]
        return
    with pytest.raises(EngineError, match=rf"'{precision}': engine 'openvino' on device 'cpu' .*float32"):
        OpenVino(artifact.model_path, options, sizes=())
    if precision == "float16":  # OpenVINO may emulate bfloat16
        monkeypatch.setattr("ranker.engines.openvino._precisions", lambda _: ("float32", precision))
        with pytest.raises(EngineError, match="it would compute in f32 where f16 is asked for"):
            OpenVino(artifact.model_path, options, sizes=())


def test_the_replay_of_golden_requests_has_the_tolerance_of_the_precision(artifact, rounded, write_artifact, tmp_path):
    model = ranker.load(artifact.folder, engine="rounded", precision="bfloat16", threads=1)
    assert model.engine.precision == "bfloat16"
    assert model.agreement.ndcg >= 0.999
    wrong = write_artifact(tmp_path, change_scores=0.03)  # the same order of other scores, within the tolerance
    assert ranker.load(wrong.folder, engine="rounded", precision="bfloat16", threads=1).agreement.difference > 0.02
    with pytest.raises(ArtifactError, match="golden request 0, task 'click': scores differ by 3"):
        ranker.load(wrong.folder, engine="rounded", precision="float32", threads=1)
    assert tolerance_of("float32", "cpu") < tolerance_of("float32", "cuda") <= tolerance_of("tf32", "cuda")
    assert set(TOLERANCES) == set(NAMES) - {"auto"}
