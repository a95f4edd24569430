"""Reading and judging a picture takes at most 12 bytes a pixel, whatever its format (bench/picture_memory.py)."""

import json
import os
import subprocess
import sys

import pytest

BYTES_A_PIXEL, FIXED_BYTES = 12, 4 << 20  # strips, tables of decoders, scratch of the evidence: whatever the size

# Linux's clear_refs resets the peak of the resident memory, so one process can measure several pictures.
SCRIPT = """
import json, sys
import numpy as np
from PIL import Image
from sonic_nodes.gate.check import check_file
from sonic_nodes.media.image import read_picture

def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))

def peak(call, argument):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    call(argument)
    return status("VmHWM") - before

folder, side = sys.argv[1], int(sys.argv[2])
found = {}
ramp = (np.add.outer(np.arange(side), np.arange(side)) // 16).astype(np.uint8)
image = Image.merge("RGBA", [Image.fromarray(level) for level in (ramp, 255 - ramp, ramp // 2, ramp | 128)])
rgb = image.convert("RGB")
exif = Image.Exif()
exif[0x0112] = 6
check_file(sys.argv[3])  # what is loaded and allocated once
files = {
    "rgba.png": (image, {"compress_level": 1}),
    "turned.jpg": (rgb, {"exif": exif}),
    "progressive.jpg": (rgb, {"progressive": True, "subsampling": 0}),
    "plain.tif": (image, {}),
    "alpha.webp": (image, {"method": 0, "quality": 10}),
}
for name, (picture, options) in files.items():
    picture.save(f"{folder}/{name}", **options)
del image, rgb, ramp, picture, files["rgba.png"]
found["check rgba.png"] = peak(check_file, f"{folder}/rgba.png")
for name in files:
    found[name] = peak(read_picture, f"{folder}/{name}")
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak of a process, in /proc")
def test_peak_memory(tmp_path, sample_dir):
    side = 1600
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(side), str(sample_dir / "portrait.jpg")]
    # glibc then gives every large block back to the system when it is freed, so none is used twice unseen
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    out = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert out.returncode == 0, out.stderr
    found = {name: (size - FIXED_BYTES) / side**2 for name, size in json.loads(out.stdout).items()}
    assert len(found) == 5 and min(found.values()) > 3, found  # 3 bytes a pixel are the result itself
    assert max(found.values()) <= BYTES_A_PIXEL, found
