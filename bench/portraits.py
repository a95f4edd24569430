"""What is said about portraits: false alarms on good ones, hits on faces that are dark, turned, cut off or covered.

    python -m bench.portraits --photos DIR [--clips DIR] [--masked DIR] [--faces N] [--frames N]

DIR of --photos and --clips hold good portraits and films of talking people (mouths open and closed); every face that
is large enough counts, and each of them is altered with known ground truth:
  light   by stops, linear in light; a dark face before its own, bright background
  turns   by 90, 180 and 270 degrees (said) and by 15 and 30 (not said)
  cuts    left or right of the nose, below the nose (said); a tight frame (not said)
  covers  each of tests/oracles/covers.py; faces are found again in the covered picture
  looks   grey, mirrored, half size, JPEG of quality 50, noise, blur, warm and cold light (not said)
DIR of --masked holds pictures of people who wear masks.
Exit status 1 when a limit is missed.
"""

import argparse
import io
import sys
from collections import defaultdict
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageFilter

from bench.gate_report import Lines
from sonic_nodes import portrait
from sonic_nodes.face import LANDMARKS, Face, find_faces
from sonic_nodes.gate.verdict import WARN, severity
from sonic_nodes.media.image import read_picture
from tests.oracles.covers import COVERS, MASKS, Place, covered

PICTURES, FILMS = {".png", ".jpg", ".jpeg", ".webp"}, {".mp4", ".mov", ".mkv"}
FACE_PX = 200  # larger faces are shrunk to this for the alterations, for speed
LIGHT = {-5: "face_underexposed", -4: "face_underexposed", -1: None, 0.5: None, 4: "face_overexposed"}


def main():
    options = parse()
    portraits = list(portraits_in(options))
    if not portraits:
        sys.exit(f"Name a folder with portraits: no face was found below {options.photos}.")
    lines = Lines()
    good_portraits(lines, portraits)
    chosen = portraits[:: max(1, len(portraits) // options.faces)][: options.faces]
    print(f"\n{'altered, ' + str(len(chosen)) + ' faces':34}{'said':>6}{'of':>5}  also said")
    looks(lines, chosen)
    light(lines, chosen)
    turns(lines, chosen)
    cuts(lines, chosen)
    covers(lines, chosen)
    if options.masked:
        real_masks(lines, options.masked)
    sys.exit(lines.report())


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path, metavar="DIR")
    parser.add_argument("--clips", type=Path, metavar="DIR")
    parser.add_argument("--masked", type=Path, metavar="DIR")
    parser.add_argument("--faces", type=int, default=24, metavar="N", help="altered at most (24)")
    parser.add_argument("--frames", type=int, default=10, metavar="N", help="of each film (10)")
    return parser.parse_args()


def files_below(folder: Path, suffixes) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes)


def portraits_in(options):
    """(name, picture, face) of every face whose mouth is large enough to be judged."""
    pictures = ((path.name, read_picture(path)) for path in files_below(options.photos, PICTURES))
    films = files_below(options.clips, FILMS) if options.clips else []
    frames = (frame for path in films for frame in frames_of(path, options.frames))
    for source in (pictures, frames):
        for name, picture in source:
            for face in find_faces(picture, thorough=False):
                if "mouth_covered" in portrait.measure(picture, face):
                    yield name, picture, face


def frames_of(path: Path, count: int):
    with av.open(str(path)) as film:
        frames = film.streams.video[0].frames or 250
        for i, frame in enumerate(film.decode(video=0)):
            if i % max(1, frames // count) == 0:
                yield f"{path.name} {i}", frame.to_ndarray(format="rgb24")


def said(picture: np.ndarray, face: Face) -> set[str]:
    """Names of what the gate warns about, profile "portrait"."""
    found = portrait.findings(portrait.measure(picture, face))
    return {f.name for f in found if severity(f.name, f.value, "portrait") >= WARN}


def said_again(picture: np.ndarray) -> set[str] | None:
    """The same for the largest face that is found in an altered picture; None without one."""
    faces = find_faces(np.ascontiguousarray(picture), thorough=False)
    return said(np.ascontiguousarray(picture), faces[0]) if faces else None


def good_portraits(lines, portraits):
    alarms = {f"{name}, face at {face.hull_xyxy[:2].round()}": said(picture, face) for name, picture, face in portraits}
    print(f"good portraits: {len(portraits)} faces; false alarms:")
    for name, reasons in alarms.items():
        if reasons:
            print(f"  {name}: {', '.join(sorted(reasons))}")
    names = ("mouth_covered", "face_underexposed", "face_overexposed", "sideways", "upside_down", "face_cut_off")
    for name in names:
        lines.at_most(f"false {name}", float(np.mean([name in reasons for reasons in alarms.values()])), 0.02)


def near(picture: np.ndarray, face: Face) -> tuple[np.ndarray, np.ndarray]:
    """(the picture around the face, at most FACE_PX wide there; the mesh in it)."""
    x0, y0, x1, y1 = face.hull_xyxy
    width = x1 - x0
    left, top = max(0, int(x0 - width)), max(0, int(y0 - width))
    part = Image.fromarray(picture[top : int(y1 + width), left : int(x1 + width)])
    scale = min(1.0, FACE_PX / width)
    size = [max(1, round(side * scale)) for side in part.size]
    mesh = (face.mesh - np.float32([left, top, 0])) * np.float32(scale)
    return np.array(part.resize(size, Image.Resampling.LANCZOS)), mesh


def tell(lines, title: str, results: list[set[str] | None], expected: str | None, limit: float):
    """A row of the table, and its limit: the share in which `expected` is said, or of any false alarm without it."""
    seen = [r for r in results if r is not None]
    others = defaultdict(int)
    for reason in (name for r in seen for name in r if name != expected):
        others[reason] += 1
    hits = sum(expected in r for r in seen) if expected else sum(bool(r) for r in seen)
    lost = f"; not found {len(results) - len(seen)}" if len(results) > len(seen) else ""
    print(f"{title:34}{hits:6}{len(seen):5}  {dict(others) or '-'}{lost}")
    if seen:
        (lines.at_least if expected else lines.at_most)(title, hits / len(seen), limit)


def looks(lines, chosen):
    random = np.random.default_rng(0)
    alter = {
        "as it is": lambda p: p,
        "grey": lambda p: np.array(Image.fromarray(p).convert("L").convert("RGB")),
        "mirrored": lambda p: p[:, ::-1],
        "half size": lambda p: np.array(Image.fromarray(p).reduce(2)),
        "JPEG of quality 50": jpeg_50,
        "noise": lambda p: clipped(p + random.normal(0, 8, p.shape)),
        "blur": lambda p: np.array(Image.fromarray(p).filter(ImageFilter.GaussianBlur(2))),
        "warm light": lambda p: clipped(p * [1.0, 0.85, 0.6]),
        "cold light": lambda p: clipped(p * [0.75, 0.9, 1.0]),
    }
    for title, function in alter.items():
        results = [said_again(function(near(picture, face)[0])) for _, picture, face in chosen]
        tell(lines, f"look: {title}", results, None, 0.09)


def clipped(levels) -> np.ndarray:
    return np.uint8(np.clip(np.rint(levels), 0, 255))


def jpeg_50(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=50)
    return np.array(Image.open(stream))


def exposed(picture: np.ndarray, stops: float) -> np.ndarray:
    """2^stops times the light, by the sRGB curve; whites are clipped."""
    level = picture / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4) * 2.0**stops
    shown = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return clipped(255 * np.clip(shown, 0, 1))


def backlit(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The head four stops darker, all around it two stops brighter."""
    place = Place(mesh)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    away = np.hypot(columns - place.mouth[0], 0.75 * (rows - place.mouth[1] + 0.3 * place.width)) / place.width
    return np.where(away[..., None] < 0.75, exposed(picture, -4.5), exposed(picture, 2))


def light(lines, chosen):
    parts = [near(picture, face) for _, picture, face in chosen]
    for stops, expected in LIGHT.items():
        results = [said_again(exposed(part, stops)) for part, _ in parts]
        tell(lines, f"light: {stops:+} stops", results, expected, 0.9 if expected else 0.09)
    results = [said_again(backlit(part, mesh)) for part, mesh in parts]
    tell(lines, "light: dark before a bright window", results, "face_underexposed", 0.9)


def turns(lines, chosen):
    for degrees in (90, 180, 270, 15, -30):
        expected = {90: "sideways", 270: "sideways", 180: "upside_down"}.get(degrees)
        results = []
        for _, picture, face in chosen:
            part = Image.fromarray(near(picture, face)[0])
            results.append(said_again(np.array(part.rotate(degrees, Image.Resampling.BICUBIC, expand=True))))
        tell(lines, f"turned by {degrees}", results, expected, 0.95 if expected else 0.09)


def cuts(lines, chosen):
    cut = defaultdict(list)
    for _, picture, face in chosen:
        part, mesh = near(picture, face)
        x0, x1, y1 = mesh[:, 0].min(), mesh[:, 0].max(), mesh[:, 1].max()
        nose, margin = mesh[LANDMARKS["nose_base"]], 0.04 * (x1 - x0)
        cut["left of the nose"].append(said_again(part[:, int(nose[0]) :]))
        cut["right of the nose"].append(said_again(part[:, : int(nose[0])]))
        cut["below the nose"].append(said_again(part[: int(nose[1])]))
        cut["tight frame"].append(said_again(part[: int(y1 - margin), max(0, int(x0 + margin)) : int(x1 - margin)]))
    for title, results in cut.items():
        is_tight = title == "tight frame"
        tell(lines, f"cut: {title}", results, None if is_tight else "face_cut_off", 0.09 if is_tight else 0.9)


def covers(lines, chosen):
    of_masks = []
    for kind in COVERS:
        parts = [near(picture, face) for _, picture, face in chosen]
        results = [said_again(covered(part, mesh, kind, seed)) for seed, (part, mesh) in enumerate(parts)]
        of_masks += results if kind in MASKS else []
        tell(lines, f"cover: {kind}", results, "mouth_covered", 0.6)
    tell(lines, "covers: masks together", of_masks, "mouth_covered", 0.8)


def real_masks(lines, folder: Path):
    results = []
    for path in files_below(folder, PICTURES):
        picture = read_picture(path)
        faces = find_faces(picture, thorough=False)[:1]
        results += [said(picture, f) for f in faces if "mouth_covered" in portrait.measure(picture, f)]
    tell(lines, f"real masks in {folder.name}", results, "mouth_covered", 0.8)


if __name__ == "__main__":
    main()
