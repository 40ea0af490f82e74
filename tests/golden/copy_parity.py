#!/usr/bin/python3
"""Copies the parity corpus' entries that the tests need into tests/golden/parity.

    tests/golden/copy_parity.py --from DIR      DIR: the corpus, with manifest.json

The corpus was made by Debian 12's PyTorch 1.13.1 and scikit-learn 1.2.1 (its manifest's "generator").
"""
import argparse
import pathlib
import shutil

ENTRIES = """linear_3_2_sigmoid linear_3_2_nobias linear_1d_input mlp_64_128_2 sigmoid_0d sigmoid_1d
sigmoid_2d sigmoid_3d sigmoid_empty sigmoid_special act_relu act_tanh logreg_mm sk_bc_lr_onnxml sk_bc_lr_gemm
sk_digits_ovr_onnxml sk_digits_softmax_onnxml sk_bc_mlp""".split()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", required=True, type=pathlib.Path)
    source = parser.parse_args().source
    target = pathlib.Path(__file__).parent / "parity"
    for entry in ENTRIES:
        (target / entry).mkdir(parents=True, exist_ok=True)
        for file in sorted((source / entry).iterdir()):
            if file.suffix in (".onnx", ".npy"):
                shutil.copyfile(file, target / entry / file.name)
    print(f"{len(ENTRIES)} entries in {target}")


if __name__ == "__main__":
    main()
