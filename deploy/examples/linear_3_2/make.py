#!/usr/bin/python3
"""Linear(3 -> 2) + Sigmoid on [[0.5, -0.2, 3.0]]. Needs python3-torch."""
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from make_net import write_net  # noqa: E402

torch.manual_seed(0)
write_net(HERE, torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Sigmoid()), torch.tensor([[0.5, -0.2, 3.0]]))
