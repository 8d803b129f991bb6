"""Lets one run of a graph score the candidates of several requests, each with its own context."""

import onnx
from onnx import TensorProto, helper

from ranker.engines.onnx_captured import CONTEXT_ROWS


def with_context_rows(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that takes M context rows, N candidates, and the context row of each candidate.

    What depends on the context alone is computed once for each of the M rows, as far into the graph as possible, and
    its results are gathered where they meet candidates.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    rows = _Rows(graph)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(rows.nodes)
    graph.input.append(helper.make_tensor_value_info(CONTEXT_ROWS, TensorProto.INT64, ["candidates"]))
    onnx.checker.check_model(copy)
    return copy


class _Rows:
    """The nodes of the rewritten graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._context = {value.name for value in graph.input if value.name.startswith("context_")}
        self._candidate = {value.name for value in graph.input if value.name.startswith("candidate_")}
        self._sizes: set[str] = set()
        """Tensors computed from the number of contexts, not from the contexts."""
        self._gathered: dict[str, str] = {}
        """By context tensor, the same with a row for each candidate."""
        for node in graph.node:
            self._add(node)
        read = {name for node in self.nodes for name in node.input} | {value.name for value in graph.output}
        self.nodes = [node for node in self.nodes if not read.isdisjoint(node.output)]

    def _add(self, original: onnx.NodeProto) -> None:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        if not self._candidate.isdisjoint(node.input):
            self._read_by_candidate(node)
            self._candidate.update(node.output)
        elif not (read := self._context.intersection(node.input)):
            pass
        elif node.op_type == "Shape" or read <= self._sizes:
            self._add_size(node)
        else:
            self._context.update(node.output)
        self.nodes.append(node)

    def _add_size(self, node: onnx.NodeProto) -> None:
        """Compute a size twice: with the number of contexts, and with that of candidates for nodes of that side."""
        twin = onnx.NodeProto()
        twin.CopyFrom(node)
        twin.name = f"{node.output[0]}/of_candidate"
        self._read_by_candidate(twin)
        for place, output in enumerate(node.output):
            twin.output[place] = self._gathered[output] = f"{output}/of_candidate"
        self._context.update(node.output)
        self._sizes.update(node.output)
        self.nodes.append(twin)

    def _read_by_candidate(self, node: onnx.NodeProto) -> None:
        """Replace the context tensors that a node reads by those with a row for each candidate."""
        for place, name in enumerate(node.input):
            if name in self._context:
                node.input[place] = self._of_candidate(name)

    def _of_candidate(self, name: str) -> str:
        if name not in self._gathered:
            output = self._gathered[name] = f"{name}/of_candidate"
            self.nodes.append(helper.make_node("Gather", [name, CONTEXT_ROWS], [output], output, axis=0))
        return self._gathered[name]
