#!/usr/bin/python3
"""examples_test.py BIN_DIR SOURCE_DIR: sigserve's answers for deploy/examples match PyTorch's.

Every row goes through a Python client made from proto/inference/*.proto alone (protoc, grpc_python_plugin, grpcio), with raw
and with typed contents; some go through sigctl. Probabilities within 1e-6 of reference.csv; the held-out accuracy is the reference's.
"""
import csv
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import grpc

BIN, SOURCE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
EXAMPLES = SOURCE / "deploy" / "examples"
TOLERANCE = 1e-6


def read_csv(path):
    with open(path, newline="") as f:
        header, *rows = csv.reader(f)
    return header, [[float(v) for v in row] for row in rows]


class Example:
    """A model's rows and PyTorch's answers."""

    def __init__(self, model):
        self.model = model
        if model == "breast_cancer":
            rows = [row for part in ("train", "test") for row in read_csv(EXAMPLES / model / f"{part}.csv")[1]]
            self.rows, self.labels = [row[:-1] for row in rows], [int(row[-1]) for row in rows]
            self.expected = [[row[0]] for row in read_csv(EXAMPLES / model / "reference.csv")[1]]
        else:
            self.rows = read_csv(EXAMPLES / model / "input.csv")[1]
            self.expected = read_csv(EXAMPLES / model / "reference.csv")[1]


def max_difference(left, right):
    assert len(left) == len(right) and all(len(a) == len(b) for a, b in zip(left, right)), (len(left), len(right))
    return max(abs(a - b) for rows in zip(left, right) for a, b in zip(*rows))


class ExamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        proto = SOURCE / "proto"
        protos = ["inference/model_config.proto", "inference/grpc_service.proto"]
        plugin = shutil.which("grpc_python_plugin")
        subprocess.run(["protoc", f"-I{proto}", f"--python_out={cls.folder.name}", f"--grpc_out={cls.folder.name}",
                        f"--plugin=protoc-gen-grpc={plugin}", *protos], check=True)
        sys.path.insert(0, cls.folder.name)
        from inference import grpc_service_pb2, grpc_service_pb2_grpc
        cls.pb = grpc_service_pb2
        repository = pathlib.Path(cls.folder.name) / "repository"  # a copy: the server keeps its jobs in it
        shutil.copytree(EXAMPLES / "repository", repository)
        cls.server = subprocess.Popen(
            [BIN / "sigserve", f"--repository={repository}", "--grpc_address=127.0.0.1:0",
             "--http_address=127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        cls.address = next(found[1] for line in cls.server.stdout
                           if (found := re.search(r"gRPC\D*(127\.0\.0\.1:\d+)", line)))
        cls.channel = grpc.insecure_channel(cls.address)
        cls.stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.server.terminate()
        assert cls.server.wait(timeout=30) == 0
        cls.server.stdout.close()
        cls.folder.cleanup()

    def infer(self, example, raw):
        """All rows in one ModelInfer; the answer as rows of probabilities."""
        metadata = self.stub.ModelMetadata(self.pb.ModelMetadataRequest(name=example.model), timeout=10)
        request = self.pb.ModelInferRequest(model_name=example.model)
        tensor = request.inputs.add(name=metadata.inputs[0].name, datatype="FP32",
                                    shape=[len(example.rows), len(example.rows[0])])
        values = [v for row in example.rows for v in row]
        if raw:
            request.raw_input_contents.append(struct.pack(f"<{len(values)}f", *values))
        else:
            tensor.contents.fp32_contents.extend(values)
        response = self.stub.ModelInfer(request, timeout=10)
        rows, columns = response.outputs[0].shape
        if response.raw_output_contents:
            flat = struct.unpack(f"<{rows * columns}f", response.raw_output_contents[0])
        else:
            flat = response.outputs[0].contents.fp32_contents
        return [list(flat[i * columns:(i + 1) * columns]) for i in range(rows)]

    def test_every_example_matches_pytorch_raw_and_typed(self):
        for model in ("breast_cancer", "linear_3_2", "mlp_64_128_2"):
            example = Example(model)
            for raw in (True, False):
                with self.subTest(model=model, raw=raw):
                    difference = max_difference(self.infer(example, raw), example.expected)
                    print(f"{model}, raw={raw}: {len(example.rows)} rows, max abs difference {difference:.2e}")
                    self.assertLessEqual(difference, TOLERANCE)

    def test_held_out_accuracy_is_the_references(self):
        example = Example("breast_cancer")
        held_out = len(read_csv(EXAMPLES / "breast_cancer" / "test.csv")[1])

        def correct(probabilities):
            pairs = zip(probabilities[-held_out:], example.labels[-held_out:])
            return sum((row[0] >= 0.5) == (label == 1) for row, label in pairs)

        self.assertEqual(held_out, 143)
        self.assertEqual(correct(self.infer(example, raw=True)), correct(example.expected))
        self.assertEqual(correct(example.expected), 139)

    def test_sigctl_matches_columns_by_name(self):
        header, rows = read_csv(EXAMPLES / "breast_cancer" / "test.csv")
        order = list(range(len(header)))[::-1]
        permuted = pathlib.Path(self.folder.name) / "permuted.csv"
        permuted.write_text("\n".join(",".join(str(row[c]) for c in order) for row in [header] + rows) + "\n")

        def predict(path):
            out = subprocess.run(
                [BIN / "sigctl", "predict", "breast_cancer", f"--input={path}", "--label-column=label", "--version=1",
                 "--output=json", f"--address={self.address}"], check=True, capture_output=True, text=True, timeout=30).stdout
            return json.loads(out)["outputs"][0]["probabilities"]

        self.assertEqual(predict(permuted), predict(EXAMPLES / "breast_cancer" / "test.csv"))

    def test_sigctl_gives_the_same(self):
        example = Example("linear_3_2")
        out = subprocess.run(
            [BIN / "sigctl", "predict", "linear_3_2", f"--input={EXAMPLES / 'linear_3_2' / 'input.csv'}",
             "--output=json", f"--address={self.address}"], check=True, capture_output=True, text=True, timeout=30).stdout
        values = json.loads(out)["outputs"][0]["probabilities"]
        self.assertLessEqual(max_difference(values, example.expected), TOLERANCE)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
