"""Values that overflow are named, with where they stand."""

import numpy as np
import pytest

from serving.messages import RequestError
from serving.overflow import LARGEST, require_finite, require_moderate


@pytest.fixture
def packed(artifact):
    golden = artifact.golden[0]
    return artifact.encoder.encode({name: [value] for name, value in golden.context.items()}, golden.candidates)


def problems(call, *arguments):
    with pytest.raises(RequestError) as error:
        call(*arguments)
    return {problem["field"]: problem["reason"] for problem in error.value.problems}


def place_of(fields, feature):
    return next(field.start for field in fields.numbers if field.feature == feature)


def test_values_at_the_limit_pass(artifact, packed):
    packed.candidate_numbers[2, place_of(artifact.encoder.layout.candidate, "vector")] = -LARGEST
    require_moderate(artifact, packed)


def test_every_value_beyond_the_limit_is_named_by_column_and_row(artifact, packed):
    start = place_of(artifact.encoder.layout.candidate, "vector")
    packed.candidate_numbers[2, start] = 2e12
    packed.candidate_numbers[5, start + 1] = -3e30
    packed.candidate_numbers[5, start] = 2e12
    assert problems(require_moderate, artifact, packed) == {
        "candidates.vector.2": "must be of at most 1e+12 in size, got 2e+12",
        "candidates.vector.5": "must be of at most 1e+12 in size, got -3e+30",
    }


def test_a_value_of_the_context_has_no_row(artifact, packed):
    field = artifact.encoder.layout.context.numbers[0]
    packed.context_numbers[0, field.start] = np.float32(1e20)
    name = artifact.schema.column(field.feature)
    assert problems(require_moderate, artifact, packed) == {
        f"context.{name}": "must be of at most 1e+12 in size, got 1e+20"
    }


def test_candidates_without_a_finite_score_are_named_with_the_tasks(artifact):
    tasks = artifact.manifest.tasks
    scores = np.zeros((3, len(tasks)), np.float32)
    require_finite(artifact, scores)
    scores[1, 0], scores[2] = np.nan, np.inf
    reason = "has values so large that the model gives no finite score for "
    assert problems(require_finite, artifact, scores) == {
        "candidates.1": reason + tasks[0],
        "candidates.2": reason + ", ".join(tasks),
    }
