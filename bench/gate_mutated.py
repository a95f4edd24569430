"""A thousand damaged JPEG, PNG and WebP files through `sonic check`: a result for each, no crash, none over two seconds
of processor time.

    python -m bench.gate_mutated [COUNT]

Files are made from synthetic pictures of several sizes and encodings, the same ones in each run: bytes changed,
removed, inserted or duplicated, the end missing, header fields set to extremes. Half of the PNG files get correct
checksums again, so that the damage reaches the decoder. Exit status 1 when a limit is missed.
"""

import io
import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from sonic_nodes.gate.check import check_file

COUNT = 1000
SECONDS = 2.0  # of processor time for each file
SIDES = (40, 150, 400)
KINDS = {
    ".jpg": (
        {"quality": 80},
        {"quality": 30, "progressive": True},
        {"quality": 90, "subsampling": 0, "restart_marker_blocks": 3},
    ),
    ".png": ({}, {"compress_level": 0}, {"optimize": True}),
    ".webp": ({"quality": 80}, {"lossless": True}, {"quality": 20, "method": 0}),
}
FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
EXTREME = (0, 1, 0x7F, 0x80, 0xFF)
PNG_START = 8


def drawn(side: int) -> Image.Image:
    """A striped disk on a gradient, with noise."""
    y, x = np.mgrid[:side, :side] / side
    disk = (x - 0.5) ** 2 + (y - 0.45) ** 2 < 0.09
    picture = 120 + 80 * np.stack([x, y, 1 - x], -1) + disk[..., None] * 50 * np.sin(40 * (x + y))[..., None]
    return Image.fromarray(
        np.clip(picture + np.random.default_rng(side).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    )


def whole_files() -> dict[str, list[bytes]]:
    files = {}
    for suffix, kinds in KINDS.items():
        for side in SIDES:
            picture = drawn(side)
            for mode, options in [
                *(("RGB", kind) for kind in kinds),
                ("RGBA" if suffix != ".jpg" else "CMYK", kinds[0]),
                ("L", kinds[0]),
            ]:
                stream = io.BytesIO()
                picture.convert(mode).save(stream, FORMATS[suffix], **options)
                files.setdefault(suffix, []).append(stream.getvalue())
    return files


def mutations(count: int = COUNT, seed: int = 1):
    """(name, bytes) of `count` damaged files. Formats and kinds of damage take turns; up to two more kinds follow."""
    random, files = np.random.default_rng(seed), whole_files()
    for number in range(count):
        suffix = list(FORMATS)[number % len(FORMATS)]
        data = bytearray(files[suffix][random.integers(len(files[suffix]))])
        data = MUTATIONS[number // len(FORMATS) % len(MUTATIONS)](data, random)
        for _ in range(random.integers(3)):
            data = MUTATIONS[random.integers(len(MUTATIONS))](data, random)
        yield (
            f"{number:04d}{suffix}",
            sealed(bytes(data)) if suffix == ".png" and random.random() < 0.5 else bytes(data),
        )


def position(data, random) -> int:
    """A random position; half of them are in the first 200 bytes, the headers."""
    return int(random.integers(min(len(data), 200) if random.random() < 0.5 else len(data))) if data else 0


def change_bytes(data, random):
    for _ in range(random.integers(1, 8)):
        if data:
            data[position(data, random)] = random.integers(256)
    return data


def make_extreme(data, random):
    at, size = position(data, random), int(random.integers(1, 5))
    data[at : at + size] = bytes([EXTREME[random.integers(len(EXTREME))]]) * min(size, len(data) - at)
    return data


def flip_bit(data, random):
    if data:
        data[position(data, random)] ^= 1 << int(random.integers(8))
    return data


def cut_out(data, random):
    at = position(data, random)
    del data[at : at + int(random.integers(1, 400))]
    return data


def put_in(data, random):
    at = position(data, random)
    data[at:at] = random.integers(0, 256, random.integers(1, 400)).astype(np.uint8).tobytes()
    return data


def double(data, random):
    a, b = sorted((position(data, random), position(data, random)))
    data[b:b] = data[a:b]
    return data


def cut_end(data, random):
    return data[: int(random.integers(len(data) + 1))]


MUTATIONS = (change_bytes, make_extreme, flip_bit, cut_out, put_in, double, cut_end)


def sealed(data: bytes) -> bytes:
    """The PNG file with correct checksums, as far as its chunks can be followed."""
    out, at = bytearray(data[:PNG_START]), PNG_START
    while at + 12 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        if at + 12 + size > len(data):
            break
        body = data[at + 4 : at + 8 + size]
        out += data[at : at + 8 + size] + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(out) + data[at:]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name, _ in mutations(count)]
        for path, (_, data) in zip(paths, mutations(count), strict=True):
            path.write_bytes(data)
        command = [sys.executable, "-m", "sonic_nodes", "check", folder, "--json"]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
        results = json.loads(done.stdout) if done.returncode in (0, 1, 3) else []
        seconds = {path.name: spent(path) for path in paths}
    slowest = max(seconds, key=seconds.get)
    counted = Counter(result["verdict"] for result in results)
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in counted.most_common())
    print(f"{len(results)} results for {count} files, exit code {done.returncode}: {verdicts}")
    print(f"slowest {seconds[slowest]:.2f} s ({slowest}), all {sum(seconds.values()):.1f} s")
    named = [Path(result["path"]).name for result in results]
    kept = named == [path.name for path in paths] and seconds[slowest] <= SECONDS
    if not kept:
        print(done.stderr[-2000:], file=sys.stderr)
    sys.exit(not kept)


def spent(path) -> float:
    started = time.process_time()
    check_file(path)
    return time.process_time() - started


if __name__ == "__main__":
    main()
