#!/usr/bin/python3
"""Copies the parity corpus' files of weights that the tests need into tests/golden/weights.

    tests/golden/copy_weights.py --from DIR      DIR: the corpus, with manifest.json

The model.textproto of each folder is written by hand: PyTorch's modules of the entry. The corpus was made by Debian 12's
PyTorch 1.13.1 (its manifest's "generator").
"""
import argparse
import pathlib
import shutil

FILES = "model.onnx weights.pth weights_legacy.pth weights.safetensors x.npy y.npy y_f64.npy".split()
LEFT_OUT = {("imagedecode_tiny", "y_f64.npy"), ("embbag_sum", "model.onnx")}  # large; of operators that we lack
ENTRIES = """bn1d conv1d_net deepsea_tiny embbag_sum gru_cls imagedecode_tiny lenet_digits linear_3_2_sigmoid
lstm_cls""".split()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", required=True, type=pathlib.Path)
    source = parser.parse_args().source
    target = pathlib.Path(__file__).parent / "weights"
    for entry in ENTRIES:
        (target / entry).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if (entry, name) not in LEFT_OUT:
                shutil.copyfile(source / entry / name, target / entry / name)
    (target / "ckpt_variants").mkdir(parents=True, exist_ok=True)
    for file in sorted((source / "ckpt_variants").iterdir()):
        if file.suffix in (".pth", ".pt", ".safetensors"):
            shutil.copyfile(file, target / "ckpt_variants" / file.name)
    print(f"{len(ENTRIES) + 1} folders in {target}")


if __name__ == "__main__":
    main()
