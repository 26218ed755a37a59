"""A trained model as an ONNX graph, written node by node from its weights, batch norm folded into the layers before.

Inputs ``features`` (cells, features) in the card's units and ``images`` (cells, views, size, size), black 0 to white 1;
output ``probabilities`` (cells, classes), calibrated. Missing inputs of models with masks are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from learn.model import Model

OPSET = 17
"""Operators of ONNX 1.12, which every runtime since 2022 has."""

IR_VERSION = 8
"""File format of that release."""

EPSILON = 1e-5
"""Of batch norm, as in `learn.models`."""


class Graph:
    """Nodes and constants written so far."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        """Return the name of a new constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Return the name of the output of a new node."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def reshape(self, x: str, *shape: int) -> str:
        """Return `x` in another shape; 0 keeps an axis, -1 is what is left."""
        return self.node("Reshape", x, self.constant(shape, np.int64))

    def conv(self, x: str, name: str, norm: str, stride: int = 1) -> str:
        """Return a convolution and the batch norm behind it as one convolution."""
        kernel = self.weights[f"{name}.kernel"].transpose(3, 2, 0, 1)
        scale, shift = self.folded(norm)
        pad = kernel.shape[2] // 2
        weights = self.constant(kernel * scale[:, None, None, None])
        return self.node("Conv", x, weights, self.constant(shift), pads=[pad] * 4, strides=[stride] * 2)

    def linear(self, x: str, name: str, norm: str | None = None) -> str:
        """Return a linear layer, and the batch norm behind it, as one matrix product."""
        kernel, bias = self.weights[f"{name}.kernel"], self.weights[f"{name}.bias"]
        if norm is not None:
            scale, shift = self.folded(norm)
            kernel, bias = kernel * scale, bias * scale + shift
        return self.node("Gemm", x, self.constant(kernel), self.constant(bias))

    def folded(self, norm: str) -> tuple[np.ndarray, np.ndarray]:
        """Return factor and summand (channels,) of a batch norm with its running statistics."""
        part = {key: self.weights[f"{norm}.{key}"].astype(float) for key in ("scale", "bias", "mean", "var")}
        scale = part["scale"] / np.sqrt(part["var"] + EPSILON)
        return scale, part["bias"] - part["mean"] * scale


def make_onnx(model: Model) -> bytes:
    """Return the model as an ONNX file.

    Raises
    ------
    ModelError
        If the model was aligned between datasets.
    """
    model.forward()
    config, graph, inputs, parts = model.config, Graph(model.weights), [], []
    shapes = dict(zip(("features", "images"), model.shapes("cells"), strict=True))
    if config.uses_images:
        inputs.append(helper.make_tensor_value_info("images", TensorProto.FLOAT, shapes["images"]))
        parts.append(_picture_branch(graph, model))
    if config.uses_features:
        inputs.insert(0, helper.make_tensor_value_info("features", TensorProto.FLOAT, shapes["features"]))
        parts.append(_feature_branch(graph, model))
    x = parts[0]
    if config.model == "miml":
        x = graph.node("Concat", *parts, axis=1)
        for layer in ("2", "3"):
            x = graph.node("Relu", graph.linear(x, f"linear{layer}", f"norm{layer}"))
    logits = graph.linear(x, "output")
    cooled = graph.node("Div", logits, graph.constant(model.calibration.temperature))
    graph.nodes.append(helper.make_node("Softmax", [cooled], ["probabilities"], axis=1))
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ("cells", len(config.classes)))
    made = helper.make_model(
        helper.make_graph(graph.nodes, config.model, inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mimlab",
    )
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def _feature_branch(graph: Graph, model: Model) -> str:
    low, high = np.array(model.scaler.low), np.array(model.scaler.high)
    x = graph.node("Sub", "features", graph.constant(low))
    x = graph.node("Div", x, graph.constant(np.where(high > low, high - low, 1.0)))
    if model.config.masks:
        missing = graph.node("IsNaN", x)
        zero, one = graph.constant(0.0), graph.constant(1.0)
        known = graph.node("Where", missing, zero, x)
        x = graph.node("Concat", known, graph.node("Where", missing, zero, one), axis=1)
    for index in range(len(model.config.hidden)):
        x = graph.node("Relu", graph.linear(x, f"branch.layers.{index}"))
    return x


def _picture_branch(graph: Graph, model: Model) -> str:
    size, views, masks = model.config.image_size, len(model.config.views), model.config.masks
    x, seen = "images", ""
    if masks:
        first = graph.node("Slice", x, *(graph.constant(ends, np.int64) for ends in ([0] * 3, [1] * 3, [1, 2, 3])))
        missing = graph.node("IsNaN", first)
        zero, one = graph.constant(0.0), graph.constant(1.0)
        seen = graph.reshape(graph.node("Where", missing, zero, one), -1, 1)
        x = graph.node("Where", missing, graph.constant(model.scaler.mean), x)
    x = graph.node("Sub", x, graph.constant(model.scaler.mean))
    x = graph.node("Div", x, graph.constant(model.scaler.std))
    x = graph.reshape(x, -1, 1, size, size)
    x = graph.node("Relu", graph.conv(x, "encoder.conv", "encoder.norm", 2))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    x = _blocks(graph, x, model.config.blocks)
    x = graph.node("GlobalAveragePool", x)
    width = model.config.width * 8
    x = graph.node("ReduceMean", graph.reshape(x, -1, views, width), axes=[1], keepdims=0)
    return graph.node("Concat", graph.node("Mul", x, seen), seen, axis=1) if masks else x


def _blocks(graph: Graph, x: str, blocks: Sequence[int]) -> str:
    index = 0
    for stage, count in enumerate(blocks):
        for place in range(count):
            name, stride = f"encoder.blocks.{index}", 2 if stage > 0 and place == 0 else 1
            y = graph.node("Relu", graph.conv(x, f"{name}.conv1", f"{name}.norm1", stride))
            y = graph.conv(y, f"{name}.conv2", f"{name}.norm2")
            if f"{name}.shortcut.layers.0.kernel" in graph.weights:
                x = graph.conv(x, f"{name}.shortcut.layers.0", f"{name}.shortcut.layers.1", stride)
            x = graph.node("Relu", graph.node("Add", y, x))
            index += 1
    return x
