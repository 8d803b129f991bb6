import numpy as np
import pytest

from ranker.fusion.reranking.relevance import scaled
from ranker.fusion.reranking.similarity import similar
from ranker.fusion.reranking.steps.dpp import DAMPING, picked
from tests.ranker.fusion.reranking.requests import order, request, step


def kernel(asked, names):
    similarity = similar(names, asked, np.arange(len(asked)))
    matrix = np.stack([similarity.row(i) for i in range(len(asked))])
    return (1 - DAMPING) * matrix + DAMPING * np.eye(len(asked))


@pytest.mark.parametrize("theta", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("of", [("vector",), ("genre",), ("tags",), ("genre", "price")])
def test_picks_are_greedy_and_log_determinants_are_those_of_the_kernel(theta, of):
    random = np.random.default_rng(2)
    for count in (1, 2, 4, 8):
        asked = request(
            np.sort(random.normal(size=count))[::-1],
            genre=random.integers(0, 3, count),
            price=random.normal(size=count),
            vector=random.normal(size=(count, 3)),
            tags=random.choice(["a", "b", "c", "d"], (count, 2)),
        )
        matrix, relevance = kernel(asked, of), scaled(asked.fused)
        found, logs = picked(relevance, similar(of, asked, np.arange(count)), theta, count)
        for n in range(1, count + 1):
            chosen = found[:n]
            sign, logdet = np.linalg.slogdet(matrix[np.ix_(chosen, chosen)])
            assert sign == 1
            assert logs[n - 1] == pytest.approx(logdet, abs=1e-7)

            def value(last, before=found[: n - 1], matrix=matrix, relevance=relevance):
                rows = [*before, last]
                whole = np.linalg.slogdet(matrix[np.ix_(rows, rows)])[1]
                return theta * relevance[rows].sum() + (1 - theta) * whole

            left = [i for i in range(count) if i not in found[: n - 1]]
            assert value(found[n - 1]) == pytest.approx(max(map(value, left)), abs=1e-9)
        assert order(asked, step("dpp", of=of, theta=theta)) == found.tolist()


def test_quality_is_that_of_the_kernel_it_states():
    random = np.random.default_rng(3)
    relevance, theta = random.random(6), 0.6
    asked = request(np.sort(relevance)[::-1], vector=random.normal(size=(6, 2)))
    relevance = scaled(asked.fused)
    quality = np.exp(theta / (2 * (1 - theta)) * relevance)
    whole = quality[:, None] * kernel(asked, ("vector",)) * quality
    found = order(asked, step("dpp", of="vector", theta=theta))
    for n in range(6):
        left = [i for i in range(6) if i not in found[:n]]
        dets = [np.linalg.slogdet(whole[np.ix_([*found[:n], i], [*found[:n], i])])[1] for i in left]
        assert left[int(np.argmax(dets))] == found[n]


def test_duplicates_follow_by_relevance_after_one_of_each():
    asked = request([6, 5, 4, 3, 2, 1], genre=[1, 1, 1, 2, 2, 3])
    assert order(asked, step("dpp", of="genre", theta=0.1)) == [0, 3, 5, 1, 4, 2]
    assert order(asked, step("dpp", of="genre", theta=0.999)) == [0, 1, 2, 3, 4, 5]
