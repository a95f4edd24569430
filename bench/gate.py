"""The quality gate on all variants of tests/oracles/gate_variants.py, beside other measures of quality.

    python -m bench.gate --photos DIR [--quick] [--brisque PYTHON] [--identify PROGRAM] [--rows FILE]

DIR holds good photos as PNG. Their variants are written as files and judged with the limits of the profile "portrait".
AUC: the share of pairs in which the bad variant scores below the good one, over the good variants of all photos; 0.5 is
chance.
  legacy     how many of its three limits a file keeps (sonic_nodes/gate/legacy_rule.py)
  BRISQUE    the package `brisque` run by another Python (--brisque), where it is installed; standard variants of four
             photos
  identify   the quality that ImageMagick prints (--identify), for .jpg files only
Unseen families: the fitted models are fitted again without one family, which is then judged.
Times are medians of processor time on one thread, interleaved with Pillow's decoding of the same picture as PNG.
Exit status 1 when a limit is missed.
"""

import argparse
import contextlib
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from bench.gate_report import Lines, auc, print_groups, share
from sonic_nodes.gate import check, findings, history, legacy_rule
from sonic_nodes.gate.verdict import judge
from sonic_nodes.media.image import read_picture
from tests.oracles import gate_variants
from tests.oracles.gate_variants import BAD, GOOD
from tools import fit_gate

QUICK_PHOTOS = 3
BRISQUE_PHOTOS = 4
BRISQUE_SCRIPT = """
import sys, numpy
from brisque import BRISQUE
from PIL import Image
judge = BRISQUE(url=False)
for line in sys.stdin:
    print(judge.score(numpy.asarray(Image.open(line.strip()).convert("RGB"))), flush=True)
"""
MEMORY_SCRIPT = """
import io, sys
import numpy
from PIL import Image
from sonic_nodes.gate import check
def peak():
    return 1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
def judge(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", progressive=True)
    if sys.argv[1] == "evidence":
        return lambda: check.evidence_of_picture(picture)
    return lambda: check.evidence_of_container(stream.getvalue())
judge(numpy.zeros((64, 64, 3), numpy.uint8))()
picture = numpy.random.default_rng(1).integers(0, 256, (3000, 4000, 3), numpy.uint8)
work = judge(picture)
open("/proc/self/clear_refs", "w").write("5")   # resets the peak to the current size
before = peak()
work()
print((peak() - before) / 12e6)
"""
MEMORY_BYTES, CONTAINER_BYTES = 5, 4  # a pixel, at twelve megapixels
COMPRESSED = ("jpg", "jpg>png", "crop", "progressive", "grey", "rotated_90", "frame", "small")
TONED = {
    "tone": "then tone",
    "sharpen": "then sharpened",
    "soften": "then blurred",
    "grain": "then noise",
    "jpg>webp": "then WebP",
}


def main():
    options = parse()
    paths = sorted(options.photos.glob("*.png"))
    if not paths:
        sys.exit(f"Name a folder with good photos as PNG files: {options.photos} has none.")
    paths = paths[:: max(1, len(paths) // QUICK_PHOTOS)][:QUICK_PHOTOS] if options.quick else paths
    with tempfile.TemporaryDirectory() as folder:
        rows = judge_all(paths, Path(folder), options)
    lines = Lines()
    print_groups(rows)
    check_ranks(lines, rows)
    check_verdicts(lines, rows)
    check_readings(lines, rows)
    check_unseen(lines, rows)
    check_cost(lines, paths)
    sys.exit(lines.report())


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PHOTOS} photos only; limits may be missed")
    parser.add_argument("--brisque", metavar="PYTHON", help="a Python that has the package brisque")
    parser.add_argument(
        "--rows", type=Path, metavar="FILE", help="stores the results after each photo and continues from there"
    )
    parser.add_argument("--identify", metavar="PROGRAM", default=shutil.which("identify"), help="ImageMagick's")
    return parser.parse_args()


def judge_all(paths, folder, options) -> list[dict]:
    rows = pickle.loads(options.rows.read_bytes()) if options.rows and options.rows.exists() else []
    done = {r["photo"] for r in rows}
    for number, path in enumerate(paths):
        started = time.perf_counter()
        if path.stem in done:
            continue
        brisque = Brisque(options.brisque if number < BRISQUE_PHOTOS else None)
        rows += [
            judge_one(path.stem, part, v, folder, brisque, options.identify)
            for part, v in variants_of(read_picture(path))
        ]
        brisque.close()
        if options.rows:
            options.rows.write_bytes(pickle.dumps(rows))
        print(f"{path.name}: {len(rows)} variants, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return rows


def variants_of(photo):
    for part, make in (("standard", gate_variants.standard), ("stress", gate_variants.stress)):
        for variant in make(photo):
            yield part, variant
    face = check.largest_face(photo)
    if face is not None and min(face[2] - face[0], face[3] - face[1]) >= 64:
        for variant in gate_variants.face_cases(photo, tuple(int(v) for v in face)):
            yield "face", variant


def judge_one(photo, part, variant, folder, brisque, identify) -> dict:
    """A row of the table: the variant, the gate's verdict, the other measures."""
    path = folder / f"variant{variant.suffix}"
    path.write_bytes(variant.data)
    verdict = check.check_file(path, face_box=variant.box or "find")
    container = check.evidence_of_container(variant.data)
    return {
        "photo": photo,
        "part": part,
        "family": variant.family,
        "name": variant.name,
        "label": variant.label,
        "quality": variant.quality,
        "suffix": variant.suffix,
        "score": verdict["score"],
        "verdict": verdict["verdict"],
        "read": verdict["jpeg_quality"],
        "reasons": [r["name"] for r in verdict["reasons"]],
        "evidence": verdict["evidence"],
        "container": container,
        "history": history.history_quality(verdict["evidence"])[0],
        "legacy": legacy_score(path),
        "brisque": brisque.score(path) if part == "standard" else None,
        "identify": identify_quality(identify, path) if variant.suffix == ".jpg" else None,
    }


def legacy_score(path) -> float:
    """Number of limits that the file keeps, 0 to 3."""
    figures = legacy_rule.legacy_figures(path)
    return (
        float(figures["gradient_variance"] >= legacy_rule.GRADIENT_VARIANCE)
        + (figures["high_energy"] <= legacy_rule.HIGH_ENERGY)
        + (figures["file_bytes"] >= legacy_rule.FILE_BYTES)
    )


def identify_quality(program, path):
    if not program:
        return None
    command = [program, "-format", "%Q", str(path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return float(printed) if printed.strip().isdigit() else None


class Brisque:
    """A process of its own, since the package needs an older NumPy. Low values are good: the sign is inverted."""

    def __init__(self, python):
        self.process = None
        if python:
            self.process = subprocess.Popen(
                [python, "-c", BRISQUE_SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def score(self, path):
        if not self.process:
            return None
        print(path, file=self.process.stdin, flush=True)
        return -float(self.process.stdout.readline())

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def named(rows, family, *names, label=BAD):
    return [r for r in rows if r["label"] == label and r["family"] == family and (not names or r["name"] in names)]


def compressed(rows, low, high):
    """One compression in any form, or with a finer one after it."""
    plain = [
        r
        for r in rows
        if r["label"] == BAD and r["family"] in COMPRESSED and low <= int(r["name"].split()[0][1:]) <= high
    ]
    return plain + (named(rows, "double", "q40>q95", "q40>crop>q90") if low <= 40 <= high else [])


def check_ranks(lines, rows):
    good = [r for r in rows if r["label"] == GOOD]
    resized = defaultdict(list)
    for r in rows:
        if r["label"] == BAD and r["family"].startswith("x"):
            resized[r["family"]].append(r)
    groups = [
        ("q <= 40 in any form", compressed(rows, 1, 40), 0.999),
        ("q50 and q60", compressed(rows, 50, 60), 0.995),
        ("q40 then q75", named(rows, "double", "q40>q75"), 0.98),
        ("blur >= 2", named(rows, "blur"), 0.998),
        ("blur 3, or noisy", named(rows, "blur2"), 0.95),
        ("defocus", named(rows, "defocus"), 0.998),
        ("fake x4", named(rows, "fake") + named(rows, "fake2"), 0.998),
        ("motion", named(rows, "motion"), 0.95),
        ("repeated pixels", named(rows, "repeat"), 0.95),
        ("chains of two", named(rows, "double2"), 0.97),
        ("q <= 40, x0.8, q85", named(rows, "chain"), 0.85),
        ("other tables", named(rows, "tables"), 0.97),
    ]
    groups += [(f"resized {family}", found, 0.97) for family, found in sorted(resized.items())]
    groups += [(title, named(rows, family), 0.97) for family, title in TONED.items()]
    print(f"\n{'AUC':24}{'gate':>8}{'legacy':>10}{'BRISQUE':>9}{'identify':>10}   against {len(good)} good variants")
    for title, bad, limit in groups:
        values = [
            auc([r[who] for r in bad], [r[who] for r in good]) for who in ("score", "legacy", "brisque", "identify")
        ]
        lines.at_least(f"AUC {title}", values[0], limit)
        print(
            f"{title:24}"
            + "".join(f"{'-' if v is None else f'{v:.4f}':>{w}}" for v, w in zip(values, (8, 10, 9, 10), strict=True))
        )


def check_verdicts(lines, rows):
    good, standard = [r for r in rows if r["label"] == GOOD], [r for r in rows if r["part"] == "standard"]
    rejected, flagged = lambda r: r["verdict"] == "reject", lambda r: r["verdict"] != "ok"
    lines.none("q <= 40 not rejected", [r for r in compressed(rows, 1, 40) if not rejected(r)])
    fine = [r for r in good if r["family"] == "clean" or r["name"].split()[0] in ("q90", "q92", "q95")]
    lines.none("clean or q >= 90 rejected", [r for r in fine if rejected(r)])
    lines.at_least("bad standard variants found", share(standard, BAD, flagged), 0.99)
    lines.at_most("good standard variants rejected", share(standard, GOOD, rejected), 0.01)
    lines.at_most("good standard variants flagged", share(standard, GOOD, flagged), 0.05)
    lines.at_least("pasted parts found", share(named(rows, "paste"), BAD, flagged), 0.95)
    lines.at_least("blurred faces found", share(named(rows, "face"), BAD, flagged), 0.95)
    lines.at_most("good faces flagged", share(named(rows, "face", label=GOOD), GOOD, flagged), 0.1)
    legacy = lambda r: r["legacy"] < 3  # noqa: E731 (one of three predicates side by side)
    print(
        f"\nlegacy rule, standard variants: found {share(standard, BAD, legacy):.3f}, "
        f"good rejected {share(standard, GOOD, legacy):.3f}"
    )


def check_readings(lines, rows):
    resaved = [r for r in rows if r["family"] == "jpg>png" and 20 <= r["quality"] <= 80]
    lines.at_least(
        "quality read within 2, q20-80 as PNG",
        np.mean([abs((r["read"] or 0) - r["quality"]) <= 2 for r in resaved]),
        0.99,
    )
    good = [r for r in rows if r["label"] == GOOD]
    lines.at_most("history has q <= 65 in a good variant", np.mean([0 < r["history"] <= 65 for r in good]), 0.001)


def check_unseen(lines, rows):
    """Each family, judged by models that were fitted without it; only sharpness and motion are fitted."""
    kinds = [fit_kind(r) for r in rows]
    permitted = [any(Path(f"{r['photo']}.png").match(p) for p in fit_gate.PERMISSIVE) for r in rows]
    verdicts = []
    if "soft" not in {kind for kind, ok in zip(kinds, permitted, strict=True) if ok}:
        print("\nunseen families: none of the photos may be fitted on")
        return
    for family in sorted({r["family"] for r in rows if r["part"] != "face"}):
        chosen = [(r, k) for r, k, ok in zip(rows, kinds, permitted, strict=True) if k and ok and r["family"] != family]
        used = [(k, findings.soft_features(r["evidence"])) for r, k in chosen]
        with models(fit_gate.fit_all(used) if "motion" in {k for k, _ in used} else without_motion(used)):
            mine = [r for r in rows if r["family"] == family and r["part"] != "face"]
            verdicts += [(r, judge(r["evidence"], r["container"])["verdict"]) for r in mine]

    def rate(label, bad):
        return np.mean([v in bad for r, v in verdicts if r["label"] == label])

    lines.at_least("unseen families: bad found", rate(BAD, ("warn", "reject")), 0.9)
    lines.at_most("unseen families: good rejected", rate(GOOD, ("reject",)), 0.03)
    lines.at_most("unseen families: good flagged", rate(GOOD, ("warn", "reject")), 0.1)
    for family in sorted({r["family"] for r, _ in verdicts}):
        mine = [(r["label"], v) for r, v in verdicts if r["family"] == family]
        shares = [[v != "ok" for label, v in mine if label == side] for side in (BAD, GOOD)]
        text = ["    -" if not s else f"{np.mean(s):5.2f}" for s in shares]
        print(f"unseen {family:12} bad found {text[0]}   good flagged {text[1]}")


@contextlib.contextmanager
def models(fitted):
    """The gate with other coefficients."""
    kept, findings.models = findings.models, lambda: fitted
    try:
        yield
    finally:
        findings.models = kept


def fit_kind(row):
    if row["part"] == "face":
        return None
    if row["label"] == GOOD:
        return "good"
    if row["label"] == BAD and row["family"] in fit_gate.SOFT:
        return "soft"
    return "motion" if row["label"] == BAD and row["family"] in fit_gate.MOTION else None


def without_motion(used):
    """Models without samples of motion: "motion" is fitted to blur as well."""
    fitted = fit_gate.fit_all([*used, *(("motion", f) for k, f in used if k == "soft")])
    return fitted | {"motion": fitted["soft"]}


def check_cost(lines, paths):
    """Medians over photos, milliseconds a megapixel."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    whole, decode, fast = [], [], []
    for path in paths[:8]:
        photo = read_picture(path)
        million, data = photo.shape[0] * photo.shape[1] / 1e6, path.read_bytes()
        jpeg = gate_variants.jpeg_bytes(photo, 75)
        pairs = [
            (spent(lambda p=photo: check.evidence_of_picture(p)), spent(lambda d=data: gate_variants.decoded(d)))
            for _ in range(5)
        ]
        whole.append(statistics.median(a for a, _ in pairs) / million)
        decode.append(statistics.median(b for _, b in pairs) / million)
        fast.append(statistics.median(spent(lambda j=jpeg: check.evidence_of_container(j)) for _ in range(5)) / million)
    cost, png, quick = (1e3 * statistics.median(v) for v in (whole, decode, fast))
    print(f"\nms a megapixel: gate {cost:.1f}, Pillow's PNG decoding {png:.1f}, .jpg without its pixels {quick:.1f}")
    lines.at_most("gate, ms a megapixel", cost, 80)
    lines.at_most("gate over PNG decoding", cost / png, 3)  # Pillow's wheels decode with zlib-ng by now
    lines.at_most(".jpg fast path, ms a megapixel", quick, 10)
    for what, limit in (("evidence", MEMORY_BYTES), ("container", CONTAINER_BYTES)):
        lines.at_most(f"memory of the {what}, bytes a pixel", memory_of(what), limit)


def memory_of(what) -> float:
    """Bytes a pixel by which a process grows for a picture of twelve megapixels, the picture itself excluded."""
    command = [sys.executable, "-c", MEMORY_SCRIPT, what]
    return float(
        subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True).stdout
    )


def spent(work) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


if __name__ == "__main__":
    main()
