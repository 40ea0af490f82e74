#!/usr/bin/python3
"""Makes the .npy files in this folder from the parity corpus's losses.npz: PyTorch's BCEWithLogitsLoss at its edges.

Usage: make.py PARITY_DIR
"""
import pathlib
import sys

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent
NAMES = {"z": "logits", "tz": "labels", "bcel_none": "loss", "bcel_mean": "mean", "bcel_pw3": "loss_weight_3",
         "bcel_pw3_grad": "mean_gradient_weight_3"}
corpus = np.load(pathlib.Path(sys.argv[1]) / "losses" / "losses.npz")
for name, file in NAMES.items():
    np.save(OUT / f"{file}.npy", corpus[name])
