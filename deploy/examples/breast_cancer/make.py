#!/usr/bin/python3
"""Makes this folder's CSV files and ../repository/breast_cancer/1/model.onnx from scikit-learn's copy of the data.

Needs Debian 12's python3-sklearn and python3-torch; nothing is downloaded. Deterministic: run it twice
and nothing changes.
"""
import csv
import pathlib

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "repository" / "breast_cancer" / "1" / "model.onnx"
SEED = 42


class Classifier(torch.nn.Module):
    """Standardization, 30 -> 16 -> 1, sigmoid. The output is the probability of class 1: benign."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("std", torch.from_numpy(std))
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(30, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))

    def logits(self, x):
        return self.layers((x - self.mean) / self.std)

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def write_csv(path, header, rows):
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    data = load_breast_cancer()
    x_train, x_test, y_train, y_test = train_test_split(
        data.data, data.target, test_size=0.25, stratify=data.target, random_state=SEED)
    names = [name.replace(" ", "_") for name in data.feature_names]
    for part, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        write_csv(HERE / f"{part}.csv", names + ["label"],
                  ([repr(float(v)) for v in row] + [int(label)] for row, label in zip(x, y)))

    # From here on in float32, as a client sends the rows.
    x_train, x_test = x_train.astype(np.float32), x_test.astype(np.float32)
    mean = x_train.astype(np.float64).mean(axis=0).astype(np.float32)
    std = x_train.astype(np.float64).std(axis=0).astype(np.float32)
    model = Classifier(mean, std)
    features, labels = torch.from_numpy(x_train), torch.from_numpy(y_train.astype(np.float32))[:, None]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    loss_function = torch.nn.BCEWithLogitsLoss()
    for _ in range(100):
        optimizer.zero_grad()
        loss_function(model.logits(features), labels).backward()
        optimizer.step()

    model.eval()
    with torch.no_grad():
        probability = model(torch.from_numpy(np.concatenate([x_train, x_test])))[:, 0].numpy()
    write_csv(HERE / "reference.csv", ["probability", "label"],
              ([f"{p:.9g}", int(y)] for p, y in zip(probability, np.concatenate([y_train, y_test]))))
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(model, torch.zeros(1, 30), str(MODEL), opset_version=13, input_names=["features"],
                      output_names=["probability"],
                      dynamic_axes={"features": {0: "N"}, "probability": {0: "N"}})
    held_out = probability[len(y_train):]
    print(f"held-out rows {len(y_test)}, accuracy {accuracy_score(y_test, held_out >= 0.5):.4f}, "
          f"ROC-AUC {roc_auc_score(y_test, held_out):.4f}")


if __name__ == "__main__":
    main()
