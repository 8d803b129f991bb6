"""Stacks equal operations of experts, gates and towers into batched ones, for devices where starting one is what costs.

The graph of a multi-task model computes the same small operations once for each expert, gate and tower. A GPU takes
longer to start them than to compute them. Operations of one type, with equal attributes and shapes, at the same depth
of the graph become one operation on tensors with a leading axis: E products [rows, k] x [k, m] become one product
[E, rows, k] x [E, k, m]. The arithmetic is the same; sums may be taken in another order.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

ACTIVATIONS = {"Elu", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softplus", "Tanh"}
FUNCTIONS = {"Abs", "Erf", "Exp", "Log", "Neg", "Reciprocal", "Sqrt"}
ARITHMETIC = {"Add", "Clip", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Sum"}
AXIS_INPUT = {"Slice": 3, "Squeeze": 1, "Unsqueeze": 1, "ReduceSum": 1}
"""Operations whose axes are an input, and its place."""
AXIS_ATTRIBUTE = {
    **dict.fromkeys(("Gather", "LogSoftmax", "Softmax", "Split"), "axis"),
    **dict.fromkeys(("ReduceMax", "ReduceMean"), "axes"),
}
"""Operations whose axes are an attribute, and its name."""
STACKABLE = ACTIVATIONS | FUNCTIONS | ARITHMETIC | AXIS_INPUT.keys() | AXIS_ATTRIBUTE.keys() | {"MatMul"}


class _Lane(NamedTuple):
    """A tensor that is one entry of a stacked tensor's leading axis."""

    stack: str
    place: int


def stacked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return an equivalent model with stacked operations; inputs, outputs and embedding tables stay as they are."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _Stacking(copy).run()
    onnx.checker.check_model(copy)
    return copy


class _Stacking:
    """One rewriting of a model, in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._shapes = {
            value.name: tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim)
            for value in (*graph.input, *graph.value_info, *graph.output)
            if value.type.tensor_type.HasField("shape")
        }
        self._lanes: dict[str, _Lane] = {}
        self._counts: dict[str, int] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._made: set[str] = set()
        self._splits: dict[str, onnx.NodeProto] = {}

    def run(self) -> None:
        for level in self._levels():
            groups = defaultdict(list)
            for place, node in enumerate(level):
                groups[self._signature(node) or place].append(node)
            for nodes in groups.values():
                if len(nodes) == 1 or not self._stack(nodes):
                    for node in nodes:
                        self._keep(node)
        for value in self._graph.output:
            self._tensor(value.name)
        del self._graph.node[:]
        self._graph.node.extend(_used(self._nodes, [value.name for value in self._graph.output]))
        read = {name for node in self._graph.node for name in node.input}
        del self._graph.initializer[:]
        self._graph.initializer.extend(tensor for name, tensor in self._constants.items() if name in read)
        del self._graph.value_info[:]

    def _levels(self) -> list[list[onnx.NodeProto]]:
        """The nodes by depth: one more than the deepest of those they read."""
        depth: dict[str, int] = {}
        levels: dict[int, list[onnx.NodeProto]] = defaultdict(list)
        for node in self._graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                tensor = onnx.TensorProto()
                tensor.CopyFrom(node.attribute[0].t)
                tensor.name = node.output[0]
                self._constants[tensor.name] = tensor
                continue
            level = 1 + max((depth.get(name, 0) for name in node.input), default=0)
            depth.update(dict.fromkeys(node.output, level))
            levels[level].append(node)
        return [levels[level] for level in sorted(levels)]

    def _signature(self, node: onnx.NodeProto) -> tuple[Any, ...] | None:
        """Equal for nodes that may be stacked; ``None`` if the node cannot be."""
        shapes = [self._shapes.get(name) for name in node.output]
        if node.op_type not in STACKABLE or not all(shapes):
            return None
        attributes = sorted(attribute.SerializeToString() for attribute in node.attribute)
        inputs = [self._kind(node, place) for place in range(len(node.input))]
        return (node.op_type, *attributes, *shapes, *inputs)

    def _kind(self, node: onnx.NodeProto, place: int) -> Any:
        """What nodes must agree on in one input: the value, the shape, the stacked tensor, or the tensor itself."""
        name = node.input[place]
        if name in self._constants:
            tensor = self._constants[name]
            if _is_setting(node, place):
                return numpy_helper.to_array(tensor).tobytes()
            return ("constant", tensor.data_type, tuple(tensor.dims))
        return self._lanes[name].stack if name in self._lanes else ("tensor", name)

    def _stack(self, nodes: list[onnx.NodeProto]) -> bool:
        """Emit one node for several; return whether that is possible."""
        first, rank = nodes[0], len(self._shapes[nodes[0].output[0]])
        columns = [[node.input[place] for node in nodes] for place in range(len(first.input))]
        varied = [place for place, names in enumerate(columns) if len(set(names)) > 1]
        lanes = [place for place in varied if columns[place][0] in self._lanes]
        if not varied or not self._possible(first, columns, varied, rank):
            return False
        if lanes:
            nodes = sorted(nodes, key=lambda node: self._lanes[node.input[lanes[0]]].place)
            columns = [[node.input[place] for node in nodes] for place in range(len(first.input))]
        inputs = [self._stacked_input(first, place, names, rank) for place, names in enumerate(columns)]
        node = onnx.NodeProto()
        node.CopyFrom(first)
        node.name = f"stacked/{first.output[0]}"
        _shift_attribute(node)
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        for place, output in enumerate(first.output):
            stack = f"stacked/{output}"
            node.output.append(stack)
            self._counts[stack] = len(nodes)
            for lane, member in enumerate(nodes):
                self._lanes[member.output[place]] = _Lane(stack, lane)
        self._nodes.append(node)
        return True

    def _possible(self, node: onnx.NodeProto, columns: list[list[str]], varied: Sequence[int], rank: int) -> bool:
        """Whether a leading axis broadcasts as the operation needs."""
        if any(_is_setting(node, place) for place in varied):
            return False
        if node.op_type in AXIS_INPUT:
            place = AXIS_INPUT[node.op_type]
            given = len(node.input) > place and node.input[place] in self._constants
            return given and numpy_helper.to_array(self._constants[node.input[place]]).size > 0
        if node.op_type == "Gather":
            return columns[0][0] in self._lanes
        if node.op_type.startswith("Reduce"):
            return any(attribute.name == "axes" for attribute in node.attribute)
        ranks = {len(self._shape(names[0])) for names in columns}
        if node.op_type == "MatMul":
            return ranks == {2}
        return all(len(self._shape(columns[place][0])) == rank for place in varied if columns[place][0] in self._lanes)

    def _shape(self, name: str) -> tuple[int | None, ...]:
        return tuple(self._constants[name].dims) if name in self._constants else self._shapes.get(name, ())

    def _stacked_input(self, node: onnx.NodeProto, place: int, names: list[str], rank: int) -> str:
        name = names[0]
        if len(set(names)) == 1:
            if name and AXIS_INPUT.get(node.op_type) == place:
                axes = numpy_helper.to_array(self._constants[name])
                return self._constant(f"stacked/{node.output[0]}/axes", np.where(axes >= 0, axes + 1, axes))
            return self._tensor(name)
        if name in self._constants:
            arrays = [numpy_helper.to_array(self._constants[each]) for each in names]
            missing = 0 if node.op_type == "MatMul" else rank - arrays[0].ndim
            shape = (len(names), *(1,) * missing, *arrays[0].shape)
            return self._constant(f"stacked/{node.output[0]}/{place}", np.stack(arrays).reshape(shape))
        stack, places = self._lanes[name].stack, [self._lanes[each].place for each in names]
        return self._chosen(stack, places)

    def _chosen(self, stack: str, places: list[int]) -> str:
        """Entries of a stacked tensor as a stacked tensor."""
        if places == list(range(self._counts[stack])):
            return stack
        output = f"{stack}/{'_'.join(map(str, places))}"
        self._gather(stack, np.array(places), output)
        return output

    def _tensor(self, name: str) -> str:
        """A tensor by its original name, taken out of its stack where it is part of one."""
        if name in self._lanes:
            self._gather(self._lanes[name].stack, np.array(self._lanes[name].place), name)
        return name

    def _gather(self, stack: str, places: NDArray[np.int64], output: str) -> None:
        if output not in self._made:
            self._made.add(output)
            index = self._constant(f"{output}/places", places)
            self._nodes.append(helper.make_node("Gather", [stack, index], [output], f"take/{output}", axis=0))

    def _keep(self, node: onnx.NodeProto) -> None:
        """Emit a node as it is, on tensors taken out of their stacks."""
        if (node.op_type == "Concat" and self._join(node)) or (node.op_type == "Squeeze" and self._is_entry(node)):
            return
        if node.op_type == "Split":
            self._splits.update(dict.fromkeys(node.output, node))
        for name in node.input:
            self._tensor(name)
        self._nodes.append(node)

    def _is_entry(self, node: onnx.NodeProto) -> bool:
        """Whether a node takes one entry of a tensor that was stacked in the model; it becomes a lane of it."""
        split = self._splits.get(node.input[0])
        if split is None or any(attribute.i for attribute in split.attribute if attribute.name == "axis"):
            return False
        axes = numpy_helper.to_array(self._constants[node.input[1]]) if node.input[1] in self._constants else None
        if axes is None or axes.tolist() != [0] or any(self._shape(output)[:1] != (1,) for output in split.output):
            return False
        self._counts[split.input[0]] = len(split.output)
        self._lanes[node.output[0]] = _Lane(split.input[0], list(split.output).index(node.input[0]))
        return True

    def _join(self, node: onnx.NodeProto) -> bool:
        """Concatenate entries of one stacked tensor by a view of it: rows [1, ...] or columns [rows, m]."""
        lanes = [self._lanes.get(name) for name in node.input]
        stack, shape, axis = lanes[0].stack if lanes[0] else None, self._shape(node.input[0]), node.attribute[0].i
        if stack is None or any(lane is None or lane.stack != stack for lane in lanes):
            return False
        places, output = [lane.place for lane in lanes if lane], node.output[0]
        if axis == 0 and shape[0] == 1:
            axes = self._constant(f"{output}/axes", np.array([1]))
            self._nodes.append(helper.make_node("Squeeze", [self._chosen(stack, places), axes], [output], output))
            return True
        if len(shape) != 2 or axis not in (1, -1) or shape[1] is None:
            return False
        turned, flat = f"{output}/turned", self._constant(f"{output}/shape", np.array([0, len(lanes) * shape[1]]))
        source = self._chosen(stack, places)
        self._nodes.append(helper.make_node("Transpose", [source], [turned], turned, perm=[1, 0, 2]))
        self._nodes.append(helper.make_node("Reshape", [turned, flat], [output], output))
        return True

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        self._constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name


def _is_setting(node: onnx.NodeProto, place: int) -> bool:
    """Whether an input says how to compute rather than what with: axes, sizes, bounds."""
    return place > 0 and (node.op_type in AXIS_INPUT or node.op_type in ("Clip", "Gather", "Split"))


def _shift_attribute(node: onnx.NodeProto) -> None:
    """Move the axes of an operation behind the leading one; negative axes stay."""
    if node.op_type in ("Gather", "Split") and not any(attribute.name == "axis" for attribute in node.attribute):
        node.attribute.append(onnx.helper.make_attribute("axis", 0))  # their default
    for attribute in node.attribute:
        if attribute.name == AXIS_ATTRIBUTE.get(node.op_type):
            if attribute.type == onnx.AttributeProto.INT:
                attribute.i += attribute.i >= 0
            else:
                axes = [axis + (axis >= 0) for axis in attribute.ints]
                del attribute.ints[:]
                attribute.ints.extend(axes)


def _used(nodes: list[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in order."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]
