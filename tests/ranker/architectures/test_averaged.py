import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures.averaged import Averaged
from ranker.layers import Sides
from tests.ranker.models import architecture


def test_logits_are_the_mean_of_the_members_each_on_its_own_sides():
    members = [architecture("shared_bottom", ["click", "buy"], bottom=(3,), towers=()) for _ in range(3)]
    net, random = Averaged(members), np.random.default_rng(0)
    assert net.embedding_sets == 3
    sides = [Sides(*(tf.constant(random.normal(size=(4, n)), tf.float32) for n in (2, 3))) for _ in members]
    logits = net.logits(net.trunk(sides))
    own = [member.logits(member.trunk(of)) for member, of in zip(members, sides, strict=True)]
    for task in range(2):
        expected = np.mean([each[task].numpy() for each in own], axis=0)
        np.testing.assert_allclose(logits[task].numpy(), expected, rtol=1e-5, atol=1e-6)
    owned = [variable.ref() for head in net.heads for variable in head.trainable_variables]
    assert set(owned) == {v.ref() for member in members for head in member.heads for v in head.trainable_variables}


def test_an_average_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one architecture"):
        Averaged([])
