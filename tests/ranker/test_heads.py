from ranker.architectures import ARCHITECTURES
from ranker.funnels import FUNNELS
from ranker.heads import ExtraHead, task_of
from ranker.schema import Schema


def test_an_extra_head_is_a_name_that_knows_its_task():
    head = ExtraHead("buy", "imputation")
    assert head == "buy.imputation"
    assert f"head_{head}" == "head_buy.imputation"
    assert [task_of(name) for name in ("click", head)] == ["click", "buy"]


def test_an_extra_head_is_in_the_group_of_its_task():
    tasks = {"click": {"kind": "binary"}, "buy": {"kind": "binary", "given": "click"}}
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    heads = [*tasks, *FUNNELS["escm2_dr"](schema).extra_heads]
    home = ARCHITECTURES["home"]
    net = home(heads, home.Options(groups={"first": ["click"], "second": ["buy"]}))
    assert [(head.name, head.group) for head in net.heads] == [
        ("head_click", 0),
        ("head_buy", 1),
        ("head_buy.imputation", 1),
    ]
