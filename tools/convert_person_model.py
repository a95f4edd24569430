#!/usr/bin/env python3
"""Converts MediaPipe's selfie segmentation from .tflite to safetensors, into sonic_nodes/assets/.

    pip install tflite safetensors numpy
    python -m tools.convert_person_model                 # downloads one archive from npm, pinned by its hash
    python -m tools.convert_person_model --check         # compares with the committed file, writes nothing
    python -m tools.convert_person_model --models DIR    # only extracts the .tflite file to DIR

The model ships inside Google's npm package @mediapipe/selfie_segmentation. None of its code runs: it is read as a tar
file. Its last layer is a custom operator of MediaPipe, a transposed convolution with a bias; `standard_model` gives the
same file with TensorFlow's own operator in its place, which any interpreter runs (tests/oracles/person_oracle.py).

Names follow csrc/matting/person_mask.h. The axes of weights are transposed as in tools/convert_face_models.py; those of
the transposed convolution from [out, height, width, in] to [in, out, height, width]. Numbers keep their type.
"""

import argparse
import io
import json
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from tools.convert_face_models import ASSETS, Graph, sha256

URL = "https://registry.npmjs.org/@mediapipe/selfie_segmentation/-/selfie_segmentation-0.1.1675465747.tgz"
ARCHIVE_SHA256 = "7767b33eaa68990ee06c28bbb89f39a13a47ebb07ff0f1fd4947d9e817bb9bf9"
MODEL = "selfie_segmentation.tflite"
MODEL_SHA256 = "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"
TARGET = "person_mask.safetensors"
MAX_ARCHIVE_BYTES = 16 << 20
LICENCE = (
    "Apache-2.0, from the package and the model card of MediaPipe (Google). Changed: the file format (tflite to "
    "safetensors) and the order of the weights' axes; the numbers are untouched."
)
SQUEEZED = {0, 3, 4, 5, 6, 7}  # blocks with squeeze and excite


def lay_model(folder: Path) -> Path:
    """The .tflite file in `folder`, downloaded unless it is present, verified by its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEL
    if path.is_file() and sha256(path.read_bytes()) == MODEL_SHA256:
        return path
    with urllib.request.urlopen(URL, timeout=60) as response:
        archive = response.read(MAX_ARCHIVE_BYTES)
    if sha256(archive) != ARCHIVE_SHA256:
        raise SystemExit(f"Download {URL} again: its sha256 is {sha256(archive)}, expected {ARCHIVE_SHA256}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        data = members.extractfile(f"package/{MODEL}").read()
    if sha256(data) != MODEL_SHA256:
        raise SystemExit(f"Download {URL} again: the sha256 of {MODEL} is {sha256(data)}, expected {MODEL_SHA256}")
    path.write_bytes(data)
    return path


def names() -> list[str]:
    """Of the convolutions, in the order in which the graph runs them."""
    found = ["stem"]
    for block in range(8):
        squeeze = ["squeeze", "excite"] if block in SQUEEZED else []
        found += [f"block.{block}.{part}" for part in ("expand", "depthwise", *squeeze, "project")]
    found += ["context.value", "context.gate"]
    for up in range(3):
        found += [f"up.{up}.{part}" for part in ("reduce", "squeeze", "excite", "mix", "refine")]
    return [*found, "out"]


def convolutions(graph: Graph) -> list[tuple[str, list[int]]]:
    """(kind, inputs) in the order of the file, which is that of execution."""
    found = [
        (output, kind, inputs)
        for operators in graph.readers.values()
        for kind, inputs, output in operators
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "CUSTOM")
    ]
    return [(kind, inputs) for _, kind, inputs in sorted(found)]


def converted(data: bytes) -> dict:
    graph = Graph(data)
    orders = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "CUSTOM": (3, 0, 1, 2)}
    found, weights = convolutions(graph), {}
    if len(found) != len(names()):
        raise SystemExit(f"Pass {MODEL} of {URL}: the graph has {len(found)} convolutions, expected {len(names())}")
    for name, (kind, inputs) in zip(names(), found, strict=True):
        weights[f"{name}.weight"] = graph.constant(inputs[1]).transpose(orders[kind]).copy()
        weights[f"{name}.bias"] = graph.constant(inputs[2]).copy()
    return weights


def packed(weights: dict) -> bytes:
    from safetensors.numpy import save

    origin = {"file": MODEL, "sha256": MODEL_SHA256, "archive": URL, "archive_sha256": ARCHIVE_SHA256}
    return save(weights, metadata={"origin": json.dumps(origin | {"licence": LICENCE}, sort_keys=True)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, metavar="DIR", help="only extract the .tflite file to DIR")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    options = parser.parse_args()
    if options.models:
        return print(lay_model(options.models))
    with tempfile.TemporaryDirectory() as scratch:
        data = packed(converted(lay_model(Path(scratch)).read_bytes()))
    if options.check and (ASSETS / TARGET).read_bytes() != data:
        raise SystemExit(f"Run the conversion again: {TARGET} differs from the conversion of {MODEL}")
    if not options.check:
        (ASSETS / TARGET).write_bytes(data)
    print(f"{TARGET}  {len(data)} bytes  sha256 {sha256(data)}")


if __name__ == "__main__":
    main()
