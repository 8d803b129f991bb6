import pytest

from tests.ranker.models import SCHEMA, TRAINABLE, architecture, assemble, layout
from training.evaluation.model_summary import blocks, dense_parameters


def model_of(name="shared_bottom", **options):
    return assemble(SCHEMA, layout(), lambda tasks: architecture(name, tasks, **options))


def test_a_dense_bottom_by_hand():
    model = model_of(bottom=(6,), towers=())
    by_path = {block.path: block for block in blocks(model)}
    trunk, head = by_path["trunk"], by_path["head_click"]
    # context: a single id and a pooled list of width 4, 2 numbers; candidate: an id of width 4, 2 numbers
    assert trunk.parameters == (10 + 6) * 6 + 6
    # per candidate: the product of the candidate's kernel, the sum of both halves and relu
    assert trunk.flops_per_candidate == 2 * 6 * 6 + 6 + 6
    assert trunk.flops_per_request == 2 * 10 * 6 + 6  # the context's product and the bias
    assert head.flops_per_candidate == 2 * 6 + 1
    assert (trunk.shape, head.shape) == ("6", "1")


@pytest.mark.parametrize("name", TRAINABLE)
def test_parts_add_up(name):
    model = model_of(name)
    found = blocks(model, depth=1)
    assert found[0].parameters == sum(block.parameters for block in found[1:])
    parts = sum(block.flops_per_candidate for block in found[1:])
    assert 0 < parts <= found[0].flops_per_candidate <= parts + 100  # scores and products come on top
    assert 0 < dense_parameters(model) < found[0].parameters


def test_a_model_works_as_before_once_counted():
    model = model_of()
    first = blocks(model)
    assert blocks(model) == first
    assert "call" not in vars(model.architecture.trunk)


def test_gates_that_share_their_product_are_seen_too():
    model = model_of("ple", expert_units=(5,), towers=(3,))
    by_path = {block.path: block for block in blocks(model)}
    gate = by_path["trunk/level_0/level_0_gate_click"]
    assert gate.shape == "5"
    assert gate.flops_per_candidate > 0


def test_heads_that_are_not_served_cost_nothing_to_serve():
    plain = blocks(assemble(SCHEMA, layout(), lambda tasks: architecture("shared_bottom", tasks)))
    robust = blocks(assemble(SCHEMA, layout(), lambda tasks: architecture("shared_bottom", tasks), funnel="escm2_dr"))
    assert robust[0].flops_per_candidate == plain[0].flops_per_candidate
    assert robust[0].parameters > plain[0].parameters
