"""What the gate says about the history of pictures that have none: drawings, renders, gradients, screenshots, patterns.

    python -m bench.gate_drawn [--count 16] [--photos DIR] [--fit]

tests/oracles/drawn makes the pictures from a seed: never compressed, never enlarged, many with a design of 8 pixels.
The gate's limits were chosen on the first set; "held out" are those of another seed, other parameters and further
algorithms. A claim of compression or enlargement about one of them is false.
  false      claims of compression or of repeated pixels
  soft       claims of blur or motion
  unsure     pictures of which the gate says that it is not sure
  JPEG       of the same pictures saved at quality 30, 50 and 70, then as PNG: how many are found, and in brackets how
             many within 5 of their quality; kinds without texture are undecidable and stay low
  repeated   of the same pictures enlarged by repeating pixels 2 and 3 times: how many are found
Confidence: all claims about all pictures, and about variants of the photos in DIR, in bins of the stated confidence,
with the share of them that is right. A quality is right within 8. --fit prints VOTES of sonic_nodes/gate/history.py.
Exit status 1 when a limit is missed.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from bench.gate_report import Lines
from sonic_nodes.gate import check, history
from sonic_nodes.media.image import read_picture
from tests.oracles import gate_variants
from tests.oracles.drawn import pictures

SEEDS = {"chosen on": (1, False), "held out": (2, True)}
COMPRESSED = ("jpeg_container", "jpeg_history", "jpeg_region", "post_processed_jpeg")
HISTORY = (*COMPRESSED, "duplicated_pixels")
SOFT = ("blur", "motion", "face_blur", "face_motion")
QUALITIES = (30, 50, 70)
TEXTURED = ("render", "CGI portrait", "vector drawing", "map", "screenshot", "screentone", "few colours")  # some decide
EVERY = 4  # one of so many pictures is also compressed and enlarged
BINS = (0, 0.6, 0.8, 0.9, 0.95, 0.98, 1.001)
NEAR, RIGHT = 5, 8  # qualities


def main():
    options = parse()
    lines, rows = Lines(), []
    for title, (seed, held_out) in SEEDS.items():
        found = [row for k, made in enumerate(pictures(seed, options.count, held_out)) for row in judged(*made, k)]
        report(lines, title, found)
        rows += found
    for path in sorted(options.photos.glob("*.png"))[:: options.every] if options.photos else ():
        rows += judged("photo", read_picture(path), 0)
    report_confidence(lines, rows)
    if options.fit:
        print("VOTES =", fitted(rows))
    sys.exit(lines.report())


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--count", type=int, default=16, help="pictures of each of the 17 kinds in each set (%(default)s)"
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos as PNG, for the confidence alone")
    parser.add_argument("--every", type=int, default=3, help="one of so many photos (%(default)s)")
    parser.add_argument("--fit", action="store_true")
    return parser.parse_args()


def judged(kind: str, picture: np.ndarray, number: int):
    """Rows of a picture and, of some, of its variants: {kind, how, quality, verdict}."""
    yield row(kind, "never", None, picture)
    if number % EVERY:
        return
    for quality in QUALITIES:
        yield row(kind, "JPEG", quality, gate_variants.saved(picture, quality))
    for factor in (2, 3):
        part = picture[: 600 // factor, : 600 // factor]
        yield row(kind, "repeated", None, part.repeat(factor, 0).repeat(factor, 1))


def row(kind, how, quality, picture) -> dict:
    verdict = check.check_picture(np.ascontiguousarray(picture), "strict", face_box="find")
    return {"kind": kind, "how": how, "quality": quality, "verdict": verdict}


def claims(found: dict, names=HISTORY) -> list[dict]:
    return [reason for reason in found["verdict"]["reasons"] if reason["name"] in names]


def is_false(found: dict) -> bool:
    return bool(claims(found) or found["verdict"]["jpeg_quality"])


def is_read(found: dict, within: float = 100) -> bool:
    quality = found["verdict"]["jpeg_quality"]
    return bool(quality) and abs(quality - found["quality"]) <= within


def is_right(found: dict, reason: dict) -> bool:
    if reason["name"] in ("jpeg_history", "jpeg_region"):
        return found["how"] == "JPEG" and abs(reason["value"] - found["quality"]) <= RIGHT
    if reason["name"] in COMPRESSED:
        return found["how"] == "JPEG"
    return found["how"] == "repeated"


def report(lines: Lines, title: str, rows: list[dict]) -> None:
    print(f"\n{title:20}{'pictures':>9}{'false':>7}{'soft':>6}{'unsure':>8}{'JPEG':>14}{'repeated':>10}")
    for kind in dict.fromkeys(r["kind"] for r in rows):
        print_kind(kind, [r for r in rows if r["kind"] == kind])
    never = [r for r in rows if r["how"] == "never"]
    print_kind("all", rows)
    lines.at_least(f"{title}: pictures", len(never), 200)
    lines.at_most(f"{title}: false history", np.mean([is_false(r) for r in never]), 0.02)
    lines.at_most(f"{title}: false blur or motion", np.mean([bool(claims(r, SOFT)) for r in never]), 0.05)
    jpeg = [r for r in rows if r["how"] == "JPEG" and r["kind"] in TEXTURED]
    lines.at_least(f"{title}: JPEG found, kinds with texture", np.mean([is_read(r) for r in jpeg]), 0.6)
    found = [r for r in rows if r["how"] == "JPEG" and is_read(r)]
    lines.at_least(f"{title}: quality of those within {NEAR}", np.mean([is_read(r, NEAR) for r in found]), 0.9)
    repeated = [bool(claims(r, HISTORY[-1:])) for r in rows if r["how"] == "repeated" and r["kind"] in TEXTURED]
    lines.at_least(f"{title}: repeated pixels found, same kinds", np.mean(repeated), 0.5)


def print_kind(kind: str, rows: list[dict]) -> None:
    by_how = defaultdict(list)
    for r in rows:
        by_how[r["how"]].append(r)
    never, jpeg, repeated = (by_how[how] for how in ("never", "JPEG", "repeated"))
    unsure = sum(bool(claims(r, ("undecided",))) for r in never)
    print(
        f"{kind:20}{len(never):9}{sum(map(is_false, never)):7}{sum(bool(claims(r, SOFT)) for r in never):6}{unsure:8}"
        f"{sum(map(is_read, jpeg)):5} of{len(jpeg):3} ({sum(is_read(r, NEAR) for r in jpeg)})"
        f"{sum(bool(claims(r, HISTORY[-1:])) for r in repeated):4} of{len(repeated):3}"
    )
    for r in filter(is_false, never):
        names = [reason["name"] for reason in claims(r)] or [f"quality {r['verdict']['jpeg_quality']}"]
        print(f"    false: {', '.join(names)}")


def report_confidence(lines: Lines, rows: list[dict]) -> None:
    stated = [(reason["confidence"], is_right(r, reason)) for r in rows for reason in claims(r)]
    print(f"\n{'confidence':>12}{'claims':>8}{'mean':>8}{'right':>8}")
    for low, high in zip(BINS, BINS[1:], strict=False):
        inside = [(c, right) for c, right in stated if low <= c < high]
        if not inside:
            continue
        mean, right = np.mean(inside, axis=0)
        print(f"{low:5.2f}..{min(high, 1):4.2f}{len(inside):8}{mean:8.3f}{right:8.3f}")
        chance = 2 * np.sqrt(mean * (1 - mean) / len(inside))
        lines.at_most(f"confidence {low:.2f}..{min(high, 1):.2f} above the share right", mean - right, 0.05 + chance)
    wrong = [(r, reason) for r in rows for reason in claims(r) if not is_right(r, reason)]
    for r, reason in wrong:
        print(
            f"wrong: {reason['name']} {reason['value']:.0f}, {reason['confidence']:.2f}: {r['kind']}, {r['how']} "
            f"{r['quality'] or ''}"
        )


def fitted(rows: list[dict]) -> tuple[float, ...]:
    """Logistic regression of "right" on the votes of all tables, by Newton's method with a slight ridge."""
    features, right = [], []
    for r in rows:
        evidence = r["verdict"]["evidence"]
        for name, quality, _ in history.standard_tables(evidence):
            share = history.share(evidence, f"{name}_blocks")
            if share:
                features.append((1.0, np.log(evidence[f"{name}_blocks_for"]), share))
                right.append(r["how"] == "JPEG" and abs(quality - r["quality"]) <= RIGHT)
    x, y, weights = np.array(features), np.array(right, float), np.zeros(3)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 0.1 * np.eye(3)
        weights += np.linalg.solve(curvature, x.T @ (y - p) - 0.1 * weights)
    return tuple(round(float(w), 2) for w in weights)


if __name__ == "__main__":
    main()
