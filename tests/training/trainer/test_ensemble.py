from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding.layout import Periodic
from ranker.model import INPUTS
from tests.ranker.models import layout as layout_of
from tests.training.conftest import QUICK
from training.config.ensemble import Ensemble
from training.config.experiment import checked
from training.trainer.build_model import build_model
from training.trainer.ensemble import member_of, put

ARCHITECTURES = [
    {"name": "shared_bottom", "bottom": [4], "towers": []},
    {"name": "stem", "expert_units": [4], "towers": []},
]


def with_embedded_numbers(layout):
    def embedded(side):
        first, *others = side.numbers
        return replace(side, numbers=(replace(first, embedding=Periodic(3, 1.0, 2), flags=1), *others))

    return replace(layout, context=embedded(layout.context), candidate=embedded(layout.candidate))


def logit(probability):
    return np.log(probability) - np.log1p(-probability)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda options: options["name"])
def test_the_logits_of_an_average_are_the_mean_of_its_members(architecture):
    interaction = {"name": "cross", "layers": 1}
    config = checked({**QUICK, "architecture": architecture, "interaction": interaction})
    config = config.model_copy(update={"ensemble": Ensemble(seeds=2)})
    layout, random = with_embedded_numbers(layout_of("din")), np.random.default_rng(0)
    inputs = {}
    for name, width in zip(INPUTS, layout.widths(), strict=True):
        ids = name.endswith("ids")
        array = random.integers(0, 4, (7, width)) if ids else random.normal(size=(7, width))
        inputs[name] = array.astype(np.int32 if ids else np.float32)
    model, members = build_model(config, layout), [build_model(member_of(config, i), layout) for i in range(2)]
    for variable in model.trainable_variables:
        variable.assign(tf.fill(variable.shape, np.nan))  # what no member gives would show
    for i, member in enumerate(members):
        for table in member.embedding.tables.values():
            table.assign(20 * table)  # far enough from 0 that members differ
        put(member, model, i)
    click = 0
    ours, theirs = model(inputs).numpy(), np.stack([member(inputs).numpy() for member in members])
    np.testing.assert_allclose(logit(ours[:, click]), logit(theirs[..., click]).mean(axis=0), atol=1e-4)
    assert np.abs(theirs[0] - theirs[1]).max() > 0.01
    one_context = {name: array[:1] if name.startswith("context") else array for name, array in inputs.items()}
    np.testing.assert_allclose(model(one_context).numpy()[0], ours[0], rtol=1e-4)


def test_members_of_neighbouring_seeds_are_all_different():
    experiment = checked({**QUICK, "ensemble": {"seeds": 3}})
    seeds = []
    for seed in range(3):
        training = experiment.training.model_copy(update={"seed": seed})
        members = [member_of(experiment.model_copy(update={"training": training}), i) for i in range(3)]
        assert all(member.ensemble is None for member in members)
        seeds += [seed, *(member.training.seed for member in members)]
    assert len(set(seeds)) == len(seeds)
