"""How much nearer to the original a repaired JPEG is than a plainly decoded one, and what that costs.

    python -m bench.repair --photos DIR [--quick] [--jpegqs PROGRAM]

DIR holds photos that never were JPEGs, as PNG. Each is compressed by Pillow and compared with itself: decoded by
Pillow, repaired from the file, repaired from its pixels alone (with the grid and table found in them), and processed by
jpegqs, where that program is installed.
  PSNR    on luma, dB; "rgb" on the three channels
  PSNR-B  on luma: squared error plus blocking effect factor, blocks of 8 (C. Yim, A. Bovik, "Quality assessment of
          deblocked images", IEEE TIP 20(1), 2011). "summed": the factors of both directions added, as in some programs
Gains are means over the photos, in brackets that of the worst photo. A repair can gain no more in PSNR-B than what
blocks cost plus its gain in PSNR: "of". Files are 4:2:0 unless marked "grey". "As quality": the quality of a plain
JPEG that is as far from the original on luma, beside the one that sonic_nodes/gate/repair.py assumes. Times are the
best of several runs on a megapixel of tiled photo; that of jpegqs includes its process. Exit status 1 when a limit is
missed.
"""

import argparse
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.gate_report import Lines
from sonic_nodes.extension.native import _sonic
from sonic_nodes.gate.check import evidence_of_picture
from sonic_nodes.gate.gain import estimated_gain
from sonic_nodes.gate.repair import Unrepaired, after_repair, from_file, repaired_picture

QUALITIES = (10, 20, 30, 40, 50, 60, 70, 75, 80)
AS_QUALITY = (*QUALITIES, 82, 84, 86, 88, 90)
QUICK_PHOTOS = 4
REPEATS = 5


def main():
    options = parse()
    paths = sorted(options.photos.glob("*.png"))
    if not paths:
        sys.exit(f"Name a folder with photos as PNG files: {options.photos} has none.")
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    photos = photos[:: max(1, len(photos) // QUICK_PHOTOS)][:QUICK_PHOTOS] if options.quick else photos
    torch.set_num_threads(1)
    lines = Lines()
    if not options.jpegqs:
        print("jpegqs is not installed (Debian's package of that name): its rows are left out.")
    print(f"{len(photos)} photos; gains over the plain decode in dB")
    if not options.cost:
        check_gains(lines, photos, options.jpegqs)
        check_as_quality(lines, photos)
        check_estimates(lines, photos)
    check_cost(lines, photos, options.jpegqs)
    sys.exit(lines.report())


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PHOTOS} photos only; limits may be missed")
    parser.add_argument("--cost", action="store_true", help="times alone")
    parser.add_argument("--jpegqs", metavar="PROGRAM", default=shutil.which("jpegqs"))
    return parser.parse_args()


def jpeg(picture, quality, grey=False):
    stream = io.BytesIO()
    image = Image.fromarray(picture)
    (image.convert("L") if grey else image).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def blind(plain):
    """The picture repaired from its pixels alone; unchanged without a grid that fits."""
    try:
        return repaired_picture(plain, None, evidence_of_picture(plain))[0]
    except Unrepaired:
        return plain


def quant_smooth(program, data):
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in.jpg"), Path(folder, "out.jpg")
        source.write_bytes(data)
        subprocess.run([program, "-t", "1", "-i", "0", str(source), str(out)], check=True, capture_output=True)
        return decoded(out.read_bytes())


def luma(picture):
    return picture.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])


def psnr(error):
    return 10 * np.log10(255**2 / error)


def borders(picture):
    """Mean squared steps between neighbours, of each direction: across borders of blocks, inside blocks, and how many
    there are."""
    for rows in (picture, picture.T):
        steps = (rows[:, 1:] - rows[:, :-1]) ** 2
        across = np.arange(steps.shape[1]) % 8 == 7
        counts = np.array([across.sum(), (~across).sum()]) * len(rows)
        yield steps[:, across].mean(dtype=np.float64), steps[:, ~across].mean(dtype=np.float64), counts


def psnr_b(original, picture):
    """(both directions' neighbours together, as in the paper; each direction's factor added)"""
    found = list(borders(picture))
    counts = np.array([count for *_, count in found])
    means = np.average([(border, inside) for border, inside, _ in found], axis=0, weights=counts)
    error, weight = np.mean((original - picture) ** 2, dtype=np.float64), np.log2(8) / np.log2(min(picture.shape))
    together = max(means[0] - means[1], 0)
    summed = sum(max(border - inside, 0) for border, inside, _ in found)
    return psnr(error + weight * together), psnr(error + weight * summed)


def measures(original, picture):
    """PSNR, PSNR-B, summed, PSNR rgb"""
    rgb = np.mean((original.astype(np.float32) - picture) ** 2, dtype=np.float64)
    was, now = luma(original), luma(picture)
    return np.array([psnr(np.mean((was - now) ** 2, dtype=np.float64)), *psnr_b(was, now), psnr(rgb)])


def check_gains(lines, photos, jpegqs):
    print(f"{'':20}{'PSNR':>16}{'PSNR-B':>16}{'summed':>16}{'rgb':>16}{'of':>8}")
    for quality in QUALITIES:
        rows = gains(photos, quality, False, jpegqs)
        show(f"q{quality}", rows)
        if quality == 40:
            grey = gains(photos, quality, True, jpegqs)
            show("q40 grey", grey)
            hold(lines, "q40", rows)
            hold(lines, "q40 grey", grey)


def gains(photos, quality, grey, jpegqs):
    methods = {"file": from_file, "pixels": lambda data: blind(decoded(data))}
    if jpegqs:
        methods["jpegqs"] = lambda data: quant_smooth(jpegqs, data)
    found = {name: [] for name in methods}
    for photo in photos:
        original = np.asarray(Image.fromarray(photo).convert("L").convert("RGB")) if grey else photo
        data = jpeg(original, quality, grey)
        plain = measures(original, decoded(data))
        for name, method in methods.items():
            repaired = measures(original, method(data))
            found[name].append([*(repaired - plain), repaired[0] - plain[1]])
    return {name: np.array(values) for name, values in found.items()}


def show(title, rows):
    for name, values in rows.items():
        cells = "".join(
            f"{mean:+8.2f} ({least:+.2f})" for mean, least in zip(values.mean(0)[:4], values.min(0), strict=False)
        )
        print(f"{title:10}{name:10}{cells}{values[:, 4].mean():+8.2f}", flush=True)


def hold(lines, title, rows):
    file, pixels = rows["file"], rows["pixels"]
    lines.at_least(f"{title}: PSNR on luma, from the file, dB", file[:, 0].mean(), 0.75)
    lines.at_least(f"{title}: PSNR-B on luma, summed, from the file, dB", file[:, 2].mean(), 4.0)
    lines.at_least(f"{title}: PSNR-B on luma, share of what can be gained", file[:, 1].mean() / file[:, 4].mean(), 0.98)
    lines.at_least(f"{title}: PSNR on luma, from the file, worst photo", file[:, 0].min(), 0.0)
    lines.at_least(f"{title}: PSNR on luma, from the pixels, dB", pixels[:, 0].mean(), 0.7)
    lines.at_least(f"{title}: PSNR on luma, from the pixels, worst photo", pixels[:, 0].min(), 0.0)


def check_as_quality(lines, photos):
    """Mean quality at which a plain file is as near to the original as the repaired one."""
    plain = np.array(
        [[measures(photo, decoded(jpeg(photo, quality)))[0] for photo in photos] for quality in AS_QUALITY]
    )
    print("\nas quality")
    for quality in QUALITIES:
        repaired = [measures(photo, from_file(jpeg(photo, quality)))[0] for photo in photos]
        found = statistics.mean(np.interp(value, plain[:, i], AS_QUALITY) for i, value in enumerate(repaired))
        counted = after_repair({}, quality)[1]["luma_quality"]
        print(f"q{quality}: as quality {found:.1f}, counted as {counted:.1f}")
        lines.at_least(f"q{quality}: repaired as quality, against what is counted", found, counted - 1)


def check_estimates(lines, photos):
    """The gain that the note after a repair states, against the real one; 20 to 80 are the qualities of its fit."""
    errors = []
    for quality in QUALITIES[1:-2]:
        for photo in photos:
            plain = decoded(jpeg(photo, quality))
            repaired = from_file(jpeg(photo, quality))
            gained = measures(photo, repaired)[0] - measures(photo, plain)[0]
            errors.append(estimated_gain(quality, _sonic.repair_change(plain, repaired)) - gained)
    farthest = np.abs(errors).max()
    print(f"\nestimated gain against the real one, dB: {np.mean(errors):+.2f} on average, farthest {farthest:.2f}")
    lines.at_most("estimated gain, mean error, dB", float(np.mean(np.abs(errors))), 0.25)
    lines.at_most("estimated gain, bias, dB", abs(float(np.mean(errors))), 0.1)


def tiled(photo):
    """A megapixel, tiled with the photo."""
    rows, columns = 1024 // photo.shape[0] + 1, 1024 // photo.shape[1] + 1
    return np.ascontiguousarray(np.tile(photo, (rows, columns, 1))[:1024, :1024])


def best(work):
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def check_cost(lines, photos, jpegqs):
    print("\nmilliseconds for each megapixel (2^20 pixels), medians over photos")
    methods = {
        "grey, file": (True, from_file),
        "4:2:0, file": (False, from_file),
        "4:2:0, pixels": (False, None),
        "decode": (False, decoded),
    }
    if jpegqs:
        methods["jpegqs, process"] = (False, lambda data: quant_smooth(jpegqs, data))
    medians = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for name, (grey, method) in methods.items():
            medians[name, threads] = statistics.median(cost(photo, grey, method) for photo in photos[::2])
            print(f"{threads} thread{'s' if threads > 1 else ' '} {name:18}{medians[name, threads]:8.1f}", flush=True)
    torch.set_num_threads(1)
    lines.at_most("4:2:0 from the file, one thread, ms", medians["4:2:0, file", 1], 100)
    print(f"From the file in {medians['4:2:0, file', 1] / medians['decode', 1]:.0f} times Pillow's decode.")


def cost(photo, grey, method):
    data = jpeg(tiled(photo), 40, grey)
    if method:
        return best(lambda: method(data))
    plain = decoded(data)
    evidence = evidence_of_picture(plain)
    return best(lambda: repaired_picture(plain, None, evidence))


if __name__ == "__main__":
    main()
