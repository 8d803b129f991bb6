import pytest

from ranker.cluster.size import pool_of


@pytest.mark.parametrize("cpus", range(1, 65))
def test_a_pool_leaves_processors_to_readers(cpus):
    pool = pool_of(cpus)
    assert pool.actors >= 1
    assert pool.readers >= 1
    assert pool.actors + pool.readers == max(cpus, 2)
    assert pool.readers == max(-(-cpus // 8), 1)


def test_it_grows_with_the_processors():
    actors = [pool_of(cpus).actors for cpus in range(1, 65)]
    assert actors == sorted(actors)
    assert [pool_of(cpus) for cpus in (0.5, 2, 8, 9, 64)] == [(1, 1), (1, 1), (7, 1), (7, 2), (56, 8)]
