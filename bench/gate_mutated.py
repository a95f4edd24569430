"""A thousand damaged JPEG, PNG and WebP files through `sonic check`: a row for each, no crash, none over two seconds.

    python -m bench.gate_mutated [COUNT]

Files are made from drawn pictures of several sizes and kinds, always the same ones: bytes changed, cut out, put in,
doubled, the end missing, numbers in headers made large; every other PNG file is sealed again with correct checksums, so
that decoders get to see the damage. Exit status 1 when a limit is missed.
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

COUNT, SECONDS = 1000, 2.0
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
    """A disk with stripes before a soft background, and some noise."""
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
    """(name, bytes) of `count` damaged files."""
    random, files = np.random.default_rng(seed), whole_files()
    for number in range(count):
        suffix = list(FORMATS)[number % 3]
        data = bytearray(files[suffix][random.integers(len(files[suffix]))])
        for _ in range(random.integers(1, 4)):
            data = MUTATIONS[random.integers(len(MUTATIONS))](data, random)
        yield (
            f"{number:04d}{suffix}",
            sealed(bytes(data)) if suffix == ".png" and random.random() < 0.5 else bytes(data),
        )


def place(data, random) -> int:
    """Every other one is in the first 200 bytes: headers."""
    return int(random.integers(min(len(data), 200) if random.random() < 0.5 else len(data))) if data else 0


def change_bytes(data, random):
    for _ in range(random.integers(1, 8)):
        if data:
            data[place(data, random)] = random.integers(256)
    return data


def make_extreme(data, random):
    at, size = place(data, random), int(random.integers(1, 5))
    data[at : at + size] = bytes([EXTREME[random.integers(len(EXTREME))]]) * min(size, len(data) - at)
    return data


def flip_bit(data, random):
    if data:
        data[place(data, random)] ^= 1 << int(random.integers(8))
    return data


def cut_out(data, random):
    at = place(data, random)
    del data[at : at + int(random.integers(1, 400))]
    return data


def put_in(data, random):
    at = place(data, random)
    data[at:at] = random.integers(0, 256, random.integers(1, 400)).astype(np.uint8).tobytes()
    return data


def double(data, random):
    a, b = sorted((place(data, random), place(data, random)))
    data[b:b] = data[a:b]
    return data


def cut_end(data, random):
    return data[: int(random.integers(len(data) + 1))]


MUTATIONS = (change_bytes, make_extreme, flip_bit, cut_out, put_in, double, cut_end)


def sealed(data: bytes) -> bytes:
    """A PNG file whose checksums fit what is in it now, as far as its chunks can be followed."""
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
        rows = json.loads(done.stdout) if done.returncode in (0, 1, 3) else []
        seconds = {path.name: spent(path) for path in paths}
    slowest = max(seconds, key=seconds.get)
    counted = Counter(row["verdict"] for row in rows)
    print(
        f"{len(rows)} rows for {count} files, exit code {done.returncode}: {', '.join(f'{n} {v}' for v, n in counted.most_common())}"
    )
    print(f"slowest {seconds[slowest]:.2f} s ({slowest}), all {sum(seconds.values()):.1f} s")
    kept = [Path(row["path"]).name for row in rows] == [path.name for path in paths] and seconds[slowest] <= SECONDS
    if not kept:
        print(done.stderr[-2000:], file=sys.stderr)
    sys.exit(not kept)


def spent(path) -> float:
    started = time.perf_counter()
    check_file(path)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
