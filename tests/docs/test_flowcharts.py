"""The site's flowcharts: what they read of Mermaid, and where nodes come to stand."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from markdown import Markdown
from mkdocs.exceptions import PluginError
from pymdownx.superfences import SuperFencesException

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```mermaid" in page.read_text(encoding="utf-8")]
BLOCKS = [
    found for page in PAGES for found in re.findall(r"```mermaid\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
]


@pytest.fixture(scope="module")
def flowcharts():
    spec = importlib.util.spec_from_file_location("flowcharts", DOCS / "hooks" / "flowcharts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_arrows_and_groups_are_read(flowcharts):
    chart = flowcharts.parse('flowchart LR\n  x --> A[two words] & B((b))\n  A & B -- text --> C\n  A <-. "both" .-> B')
    assert [(edge.path, edge.text) for edge in chart.edges] == [
        (["x", "A"], ""),
        (["x", "B"], ""),
        (["A", "C"], "text"),
        (["B", "C"], "text"),
        (["A", "B"], "both"),
    ]
    assert [edge.both_ways for edge in chart.edges] == [False, False, False, False, True]
    assert {name: (node.text, node.shape) for name, node in chart.nodes.items()} == {
        "x": ("x", "plain"),
        "A": ("two words", "box"),
        "B": ("b", "round"),
        "C": ("C", "plain"),
    }


def test_a_page_with_a_block_that_cannot_be_drawn_fails(flowcharts):
    config = SimpleNamespace(mdx_configs={})
    flowcharts.on_config(config)
    page = Markdown(extensions=["pymdownx.superfences"], extension_configs=config.mdx_configs)
    assert "<svg" in page.convert("```mermaid\nflowchart LR\n  a -- one-way --> b\n```")
    with pytest.raises(SuperFencesException, match="no arrow of a flowchart at character 3 of 'a ==> b'"):
        page.convert("```mermaid\nflowchart LR\n  a ==> b\n```")


@pytest.mark.parametrize("block", BLOCKS)
def test_arrows_lead_to_the_right_and_no_nodes_overlap(flowcharts, block):
    chart = flowcharts.parse(block)
    flowcharts.arrange(chart)
    for edge in chart.edges:
        if not edge.both_ways:
            places = [chart.nodes[name].x for name in edge.path]
            assert places == sorted(set(places))
    nodes = list(chart.nodes.values())
    for i, one in enumerate(nodes):
        for other in nodes[:i]:
            assert abs(one.x - other.x) >= (one.width + other.width) / 2 or abs(one.y - other.y) >= flowcharts.HEIGHT


@pytest.mark.parametrize("block", BLOCKS)
def test_the_picture_holds_every_text(flowcharts, block):
    drawn = ElementTree.fromstring(flowcharts.svg(block))
    texts = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    chart = flowcharts.parse(block)
    assert texts == {node.text for node in chart.nodes.values()} | {edge.text for edge in chart.edges if edge.text}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("graph TD\n  a --> b", "'flowchart LR', got 'graph TD'"),
        ("flowchart LR\n  a ==> b", "character 3 of 'a ==> b'"),
    ],
)
def test_what_it_cannot_draw_is_named(flowcharts, block, message):
    with pytest.raises(PluginError, match=message):
        flowcharts.svg(block)
