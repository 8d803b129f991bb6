from ranker.layers.sharded_table import Partition
from training.distribution.shards import saved_partition


def test_a_run_keeps_the_partition_that_it_was_begun_with(tmp_path):
    assert saved_partition(tmp_path) is None
    assert saved_partition(tmp_path, Partition(4, 100)) == Partition(4, 100)
    assert saved_partition(tmp_path, Partition(2, 7)) == Partition(4, 100)
    assert saved_partition(tmp_path) == Partition(4, 100)
