#!/usr/bin/python3
"""Makes the .npy files in this folder: what PyTorch 1.13 (Debian 12's python3-torch) loses per epoch on the 64-128-2 net.

Usage: make.py PARITY_DIR    (the folder that holds the parity corpus: train/X.npy, Y.npy, init.safetensors, <run>_losses.json)

X, Y and the initial weights are the corpus's, and so are the losses of its runs; the other runs are made here, from the
same start. A run's file holds 200 float64: the mean loss of each epoch, every batch's before its step.
"""
import json
import pathlib
import struct
import sys

import numpy as np
import torch

OUT = pathlib.Path(__file__).resolve().parent
RECORDED = ["adam", "sgd", "sgd_momentum", "adam_wd"]


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return {
        name: np.frombuffer(body[slice(*info["data_offsets"])], "<f4").reshape(info["shape"])
        for name, info in header.items()
    }


def train(x, y, init, make_optimizer, batch=None, positive_weights=None):
    net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 2))
    net.load_state_dict({name: torch.tensor(value) for name, value in init.items()})
    optimizer = make_optimizer(net.parameters())
    loss_fn = torch.nn.BCEWithLogitsLoss(pos_weight=positive_weights)
    losses = []
    for _ in range(200):
        total = 0.0
        for first in range(0, len(x), batch or len(x)):
            rows = slice(first, first + (batch or len(x)))
            optimizer.zero_grad()
            loss = loss_fn(net(x[rows]), y[rows])
            total += loss.item() * len(x[rows])
            loss.backward()
            optimizer.step()
        losses.append(total / len(x))
    return losses


def main():
    torch.set_num_threads(1)
    parity = pathlib.Path(sys.argv[1]) / "train"
    x, y = np.load(parity / "X.npy"), np.load(parity / "Y.npy")
    init = read_safetensors(parity / "init.safetensors")
    np.save(OUT / "x.npy", x)
    np.save(OUT / "y.npy", y)
    for name, value in init.items():
        np.save(OUT / f"{name}.npy", value)
    runs = {run: json.loads((parity / f"{run}_losses.json").read_text())["float32"] for run in RECORDED}
    x, y = torch.tensor(x), torch.tensor(y)
    adam = lambda weights: torch.optim.Adam(weights, lr=0.01)
    nesterov = lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    runs["adam_again"] = train(x, y, init, adam)
    runs["adam_minibatch_48"] = train(x, y, init, adam, batch=48)  # 256 = 5 x 48 + 16
    runs["sgd_minibatch_32"] = train(x, y, init, lambda w: torch.optim.SGD(w, lr=0.1), batch=32)
    runs["sgd_nesterov_wd"] = train(x, y, init, nesterov)
    runs["adam_pos_weight"] = train(x, y, init, adam, positive_weights=torch.tensor([2.0, 0.5]))
    # The corpus was made by the same PyTorch: its run and ours must agree before ours stand for the others.
    difference = np.abs(np.subtract(runs.pop("adam_again"), runs["adam"])).max()
    print("adam, here against the corpus:", difference)
    assert difference < 1e-6
    for run, losses in runs.items():
        np.save(OUT / f"{run}.npy", np.asarray(losses, "<f8"))


main()
