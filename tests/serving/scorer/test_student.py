"""A student's engine runs in the workers, also where scorers run the model."""

import pytest

from ranker.engines import ENGINES
from serving.ranking import ranker
from serving.ranking.ranker import Ranker
from serving.settings import Settings


class Local:
    """In place of scorers: loads a graph here, and notes the threads."""

    def __init__(self):
        self.threads = []

    def engine(self, artifact, name, options, _):
        self.threads.append(options.threads)
        return ENGINES[name](artifact.model_path, options)


@pytest.mark.parametrize(("workers", "beside_scorers"), [(2, 4), (16, 1)])
def test_a_student_has_the_cores_of_its_worker_and_not_those_of_a_scorer(
    artifact, monkeypatch, workers, beside_scorers
):
    asked, scorers = [], Local()
    monkeypatch.setattr(ranker, "cores", lambda: 8)
    monkeypatch.setattr(ranker, "student_engine", lambda *given: asked.append(given[-1].threads))
    settings = Settings(artifact=artifact.folder, engine="onnxruntime", workers=workers, threads=3)
    Ranker.of(artifact, settings, scorers=scorers)
    Ranker.of(artifact, settings)
    assert scorers.threads == [3]
    assert asked == [beside_scorers, 3]
