"""What the small nets' make.py share: writes a net as ONNX with sample inputs and PyTorch's answers."""
import csv

import torch


def write_net(here, net, inputs):
    """`here`/{input,reference}.csv and ../repository/<name of `here`>/1/model.onnx (input "x", output "y")."""
    with torch.no_grad():
        outputs = net(inputs)
    for name, letter, values in (("input", "x", inputs), ("reference", "y", outputs)):
        with open(here / f"{name}.csv", "w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(f"{letter}{i}" for i in range(values.shape[1]))
            out.writerows([f"{v:.9g}" for v in row] for row in values.tolist())
    model = here.parent / "repository" / here.name / "1" / "model.onnx"
    model.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(net, inputs[:1], str(model), opset_version=13, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "N"}, "y": {0: "N"}})
