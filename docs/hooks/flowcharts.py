"""Mermaid's left-to-right flowcharts as SVG, drawn while the site is built, so that pages load no Mermaid.

It draws what the pages use: boxes, round and six-sided nodes, plain and dotted arrows with a text, ``&``.
Anything else is an error that names the line.
"""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from pymdownx.superfences import SuperFencesException

NODE = re.compile(
    r"(?P<id>\w+)(?:\(\((?P<round>[^)]+)\)\)|\{\{(?P<hexagon>[^}]+)\}\}|\[\"(?P<quoted>[^\"]+)\"\]|\[(?P<box>[^\]]+)\])?"
)
ARROW = re.compile(r"(?P<back><)?(?:-\.\s*(?:\"(?P<dotted>[^\"]*)\"\s*)?\.->|--\s+(?P<text>[^>]+?)\s+-->|-->)")
CHARACTER, HEIGHT, ROW, COLUMN, PADDING = 7.0, 30, 46, 44, 12
"""In pixels: a character's width, a node's height, rows and gaps between columns, space around a text."""


@dataclass
class Node:
    """A box with a text; one without a text is a bend of a long arrow."""

    text: str | None
    shape: str = "box"
    layer: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        """In pixels."""
        return 0.0 if self.text is None else len(self.text) * CHARACTER + 2 * PADDING


@dataclass
class Edge:
    """An arrow through nodes: its ends, and bends between them."""

    path: list[str]
    text: str = ""
    dotted: bool = False
    both_ways: bool = False


@dataclass
class Chart:
    """Nodes by id, and arrows."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)


def parse(source: str) -> Chart:
    """Read a flowchart. Raises PluginError for what is not drawn."""
    chart = Chart()
    first, *lines = [line.strip() for line in source.strip().splitlines()]
    if first != "flowchart LR":
        raise PluginError(f"a Mermaid block must begin with 'flowchart LR', got {first!r}")
    for line in lines:
        left: list[str] = []
        arrow: re.Match[str] | None = None
        at = 0
        while True:
            group, at = _group(chart, line, at)
            for start in left:
                assert arrow is not None
                dotted = arrow[0].lstrip("<").startswith("-.")
                text = arrow["dotted"] or arrow["text"] or ""
                chart.edges += [Edge([start, end], text, dotted, bool(arrow["back"])) for end in group]
            if at == len(line):
                break
            arrow = ARROW.match(line, at)
            if arrow is None:
                raise PluginError(f"no arrow of a flowchart at character {at + 1} of {line!r}")
            left, at = group, _space(line, arrow.end())
    return chart


def _group(chart: Chart, line: str, at: int) -> tuple[list[str], int]:
    """Ids of nodes joined by ``&``, and where the line goes on."""
    names: list[str] = []
    while True:
        found = NODE.match(line, at)
        if found is None:
            raise PluginError(f"no node of a flowchart at character {at + 1} of {line!r}")
        name, at = found["id"], _space(line, found.end())
        shapes = {shape: found[shape] for shape in ("round", "hexagon", "quoted", "box") if found[shape]}
        for shape, text in shapes.items():
            chart.nodes[name] = Node(text, "box" if shape == "quoted" else shape)
        chart.nodes.setdefault(name, Node(name, "plain"))
        names.append(name)
        if line[at : at + 1] != "&":
            return names, at
        at = _space(line, at + 1)


def _space(line: str, at: int) -> int:
    return len(line) - len(line[at:].lstrip())


def arrange(chart: Chart) -> None:
    """Give nodes their places: layers by the longest path to them, few crossings, long arrows around other nodes."""
    forward = [edge for edge in chart.edges if not edge.both_ways]
    for _ in chart.nodes:
        for edge in forward:
            start, end = (chart.nodes[name] for name in edge.path)
            end.layer = max(end.layer, start.layer + 1)
    for number, edge in enumerate(forward):
        start, end = edge.path
        for layer in range(chart.nodes[start].layer + 1, chart.nodes[end].layer):
            bend = f" {number}.{layer}"
            chart.nodes[bend] = Node(None, layer=layer)
            edge.path.insert(-1, bend)
    layers: list[list[str]] = [[] for _ in range(1 + max(node.layer for node in chart.nodes.values()))]
    for name, node in chart.nodes.items():
        layers[node.layer].append(name)
    near: dict[str, list[str]] = {name: [] for name in chart.nodes}
    for edge in forward:
        for start, end in zip(edge.path, edge.path[1:], strict=False):
            near[start].append(end)
            near[end].append(start)
    _place(chart, layers)
    for turn in range(8):
        for layer in layers if turn % 2 == 0 else layers[::-1]:
            side = -1 if turn % 2 == 0 else 1
            wish = {name: _middle(chart, name, near[name], side) for name in layer}
            layer.sort(key=wish.__getitem__)
            _place(chart, layers)


def _middle(chart: Chart, name: str, near: list[str], side: int) -> float:
    """Mean height of a node's neighbours in the layer on a side; its own where it has none."""
    layer = chart.nodes[name].layer + side
    heights = [chart.nodes[other].y for other in near if chart.nodes[other].layer == layer]
    return sum(heights) / len(heights) if heights else chart.nodes[name].y


def _place(chart: Chart, layers: list[list[str]]) -> None:
    """Set x and y, in pixels, from the order in the layers."""
    tallest = max(map(len, layers))
    texts = [edge.text for edge in chart.edges if not edge.both_ways]
    gap = COLUMN + max((len(text) for text in texts), default=0) * CHARACTER * 0.7
    x = 0.0
    for layer in layers:
        width = max(chart.nodes[name].width for name in layer)
        for row, name in enumerate(layer):
            node = chart.nodes[name]
            node.x = x + width / 2
            node.y = ROW * (row + (tallest - len(layer)) / 2 + 0.5)
        x += width + gap


def _line(chart: Chart, edge: Edge) -> str:
    """The arrow, and its text in its middle."""
    nodes = [chart.nodes[name] for name in edge.path]
    if edge.both_ways:
        upper, lower = sorted(nodes, key=lambda node: node.y)
        points = [(upper.x, upper.y + HEIGHT / 2 + 3), (lower.x, lower.y - HEIGHT / 2 - 3)]
        drawn = f"M{points[0][0]:.0f} {points[0][1]:.0f}L{points[1][0]:.0f} {points[1][1]:.0f}"
    else:
        starts = [(node.x + node.width / 2, node.y) for node in nodes[:-1]]
        ends = [(node.x - node.width / 2, node.y) for node in nodes[1:]]
        ends[-1] = (ends[-1][0] - 3, ends[-1][1])
        points = [starts[0], ends[-1]]
        drawn = f"M{starts[0][0]:.0f} {starts[0][1]:.0f}"
        for (x, y), (to_x, to_y) in zip(starts, ends, strict=True):
            half = (x + to_x) / 2
            drawn += f"C{half:.0f} {y:.0f} {half:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
    dotted = ' stroke-dasharray="4 3"' if edge.dotted else ""
    start = ' marker-start="url(#arrow)"' if edge.both_ways else ""
    line = f'<path d="{drawn}"{dotted}{start} marker-end="url(#arrow)"/>'
    if not edge.text:
        return line
    (x, y), (to_x, to_y) = points
    x, y = (x + to_x) / 2, (y + to_y) / 2
    anchor = "start" if edge.both_ways else "middle"
    y -= 0 if edge.both_ways else 9  # above the line
    return (
        line + f'<text x="{x + 6 * edge.both_ways:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(edge.text)}</text>'
    )


def _box(node: Node) -> str:
    x, y, width = node.x - node.width / 2, node.y - HEIGHT / 2, node.width
    shapes = {
        "plain": "",
        "box": f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="3"/>',
        "round": f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="{HEIGHT / 2:.0f}"/>',
        "hexagon": f'<path d="M{x:.0f} {node.y:.0f}l8 -{HEIGHT / 2:.0f}h{width - 16:.0f}l8 {HEIGHT / 2:.0f}'
        f'l-8 {HEIGHT / 2:.0f}h-{width - 16:.0f}z"/>',
    }
    text = f'<text x="{node.x:.0f}" y="{node.y:.0f}" text-anchor="middle">{escape(node.text or "")}</text>'
    return shapes[node.shape] + text


def svg(source: str) -> str:
    """A flowchart as an SVG element. Raises PluginError for what is not drawn."""
    chart = parse(source)
    arrange(chart)
    width = max(node.x + node.width / 2 for node in chart.nodes.values()) + 2
    height = max(node.y for node in chart.nodes.values()) + ROW / 2
    marker = (
        '<marker id="arrow" viewBox="0 0 6 6" refX="4" refY="3" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path class="head" d="M0 0L6 3L0 6z"/></marker>'
    )
    label = escape("; ".join(f"{edge.path[0]} to {edge.path[-1]}" for edge in chart.edges))
    return (
        f'<svg class="flowchart" role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="-2 0 {width + 2:.0f} {height:.0f}" width="{width + 2:.0f}" height="{height:.0f}">'
        f"<defs>{marker}</defs>{''.join(_line(chart, edge) for edge in chart.edges)}"
        f"{''.join(_box(node) for node in chart.nodes.values() if node.text is not None)}</svg>"
    )


def _fence(source: str, *_: Any, **__: Any) -> str:
    try:
        return f'<div class="flowchart">{svg(source)}</div>'
    except PluginError as error:  # any other exception would make the block text, without an error
        raise SuperFencesException(str(error)) from error


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take code blocks of the language ``mermaid``."""
    fence = {"name": "mermaid", "class": "flowchart", "format": _fence}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    return config
