#!/usr/bin/python3
"""EmbeddingBag as PyTorch 1.13.1 (Debian 12) exports it: a Loop over the bags. Per folder: the ONNX file, its inputs,
PyTorch's answer and the same weights evaluated in float64."""
import pathlib
import warnings

import numpy as np
import torch

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent


class Net(torch.nn.Module):
    def __init__(self, mode, **options):
        super().__init__()
        self.e = torch.nn.EmbeddingBag(30, 6, mode=mode, **options)
        self.o = torch.nn.Linear(6, 2)

    def forward(self, x, offsets=None, factors=None):
        return torch.sigmoid(self.o(self.e(x, offsets, factors)))


def make(name, mode, inputs, opset=13, **options):
    net = Net(mode, **options).eval()
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    names = ["x", "offsets", "factors"][: len(inputs)]
    torch.onnx.export(net, tuple(inputs), folder / "model.onnx", opset_version=opset, input_names=names,
                      output_names=["y"], dynamic_axes={n: {0: n + "_size"} for n in names})
    with torch.no_grad():
        np.save(folder / "y.npy", net(*inputs).numpy())
        doubles = [i.double() if i.is_floating_point() else i for i in inputs]
        np.save(folder / "y_f64.npy", net.double()(*doubles).numpy())
    for i, value in enumerate(inputs):
        np.save(folder / ("x.npy" if len(inputs) == 1 else f"x{i}.npy"), value.numpy())


torch.manual_seed(0)
bags = torch.randint(0, 30, (4, 7))
flat = torch.randint(0, 30, (20,))
offsets = torch.tensor([0, 3, 3, 10])  # the second is empty
make("sum", "sum", [bags])
make("mean", "mean", [bags], opset=16)
make("max", "max", [bags])
make("sum_offsets", "sum", [flat, offsets])
make("mean_offsets", "mean", [flat, offsets])
make("max_offsets", "max", [flat, offsets])
make("last_offset", "sum", [flat, torch.tensor([0, 3, 3, 10, 20])], include_last_offset=True)
make("factors", "sum", [flat, offsets, torch.rand(20)])
