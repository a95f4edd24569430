"""Peak memory of `sonic check` on large pictures, in bytes a pixel above that of a small one (docs/pictures.md).

    python -m bench.picture_memory [--side 9450] [FORMAT ...]

Linux only. Every picture is judged by a process of its own. The limits that sonic_nodes/media/image.py sets for some
formats (READ_BYTES) come from these figures.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CHECK = """
import sys
from sonic_nodes.commands.cli import main
try:
    main(["check", sys.argv[1]])
except SystemExit:
    pass
# not getrusage's ru_maxrss, which a child inherits from the process that started it
print("peak", next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
# name -> (suffix, Pillow's mode, options of Image.save)
KINDS = {
    "PNG": (".png", "RGBA", {"compress_level": 1}),
    "palette PNG": (".png", "P", {"compress_level": 1}),
    "16-bit PNG": (".png", "I;16", {"compress_level": 1}),
    "JPEG": (".jpg", "RGB", {"quality": 90}),
    "progressive JPEG": (".jpg", "RGB", {"quality": 90, "progressive": True, "subsampling": 0}),
    "CMYK JPEG": (".jpg", "CMYK", {"quality": 90, "progressive": True, "subsampling": 0}),
    "TIFF": (".tif", "RGBA", {}),
    "BMP": (".bmp", "RGBA", {}),
    "GIF": (".gif", "P", {}),
    "WebP": (".webp", "RGBA", {"quality": 50, "method": 0}),
    "AVIF": (".avif", "RGBA", {"speed": 10}),
    "JPEG 2000": (".jp2", "RGBA", {}),
}


def picture(side: int, mode: str) -> Image.Image:
    """Smooth gradients, cheap to compress, with all of the mode's channels in use."""
    ramp = (np.arange(side) * 255 // side).astype(np.uint8)
    down, across = np.broadcast_to(ramp[:, None], (side, side)), np.broadcast_to(ramp, (side, side))
    if mode == "I;16":
        return Image.fromarray(down.astype(np.uint16) * 257)
    image = Image.merge("RGB", [Image.fromarray(np.ascontiguousarray(level)) for level in (down, across, 255 - down)])
    if mode == "P":
        return image.quantize(64, Image.Quantize.FASTOCTREE)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(np.ascontiguousarray(across | 128)))
    return image.convert(mode)


def peak_bytes(path: Path) -> int:
    """Peak resident memory of `sonic check`; RuntimeError when the picture is not judged."""
    done = subprocess.run([sys.executable, "-c", CHECK, str(path)], capture_output=True, text=True, check=True)
    if "unreadable" in done.stdout:
        raise RuntimeError(done.stdout)
    return int(done.stdout.split("peak ")[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"default: all of {', '.join(KINDS)}")
    parser.add_argument("--side", type=int, default=9450)
    options = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.png"
        picture(256, "RGB").save(small)
        empty = peak_bytes(small)
        print(f"{'a small picture':18} {empty / 1e9:6.3f} GB")
        for name in options.formats or KINDS:
            suffix, mode, save = KINDS[name]
            path = Path(folder) / f"large{suffix}"
            picture(options.side, mode).save(path, **save)
            try:
                peak = peak_bytes(path)
            except RuntimeError as refused:
                print(f"{name:18} refused: {' '.join(str(refused).split())}", flush=True)
                continue
            a_pixel = (peak - empty) / options.side**2
            print(f"{name:18} {peak / 1e9:6.3f} GB  {a_pixel:5.2f} bytes a pixel", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
