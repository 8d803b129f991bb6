from training.config.experiment import Experiment
from training.data.experiment_log import kinds_of, open_log, required_columns

FUSION = {
    "name": "learned",
    "options": {"label": "click * (seconds > 5)", "request": "request_id", "features": ["zip"]},
}


def experiment():
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.3}},
            "schema": {
                "candidate": {"zip": {"kind": "categorical", "type": "string", "dimension": 2}},
                "tasks": {"click": {"kind": "binary"}},
            },
            "architecture": "shared_bottom",
            "fusions": {"held": FUSION},
        }
    )


def test_a_request_is_an_id_and_a_features_column_as_the_schema_says():
    assert required_columns(experiment()) == ["click", "seconds", "request_id", "zip"]
    assert kinds_of(experiment()) == {"click": "number", "zip": "text", "seconds": "number", "request_id": "id"}


def test_requests_of_a_csv_file_may_be_text(tmp_path):
    (tmp_path / "a.csv").write_text("click,seconds,request_id,zip\n1,7,r1,02134\n0,NA,02,x\n")
    (chunk,) = open_log(experiment(), [tmp_path / "a.csv"]).chunks(required_columns(experiment()))
    assert list(chunk.columns["request_id"]) == ["r1", "02"]
    assert list(chunk.columns["zip"]) == ["02134", "x"]
