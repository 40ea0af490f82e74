#!/usr/bin/python3
"""Linear(64 -> 128) -> ReLU -> Linear(128 -> 2) -> Sigmoid on 8 random rows. Needs python3-torch."""
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from make_net import write_net  # noqa: E402

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 2), torch.nn.Sigmoid())
write_net(HERE, net, torch.randn(8, 64))
