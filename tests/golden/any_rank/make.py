#!/usr/bin/python3
"""Writes model.onnx: one Sigmoid whose input and output declare no shape at all, so any rank will do."""
import pathlib

import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("Sigmoid", ["x"], ["y"], name="sigmoid")], "any_rank",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
(pathlib.Path(__file__).parent / "model.onnx").write_bytes(model.SerializeToString())
