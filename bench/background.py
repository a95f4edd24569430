"""How much the edge of a presenter flickers, against MediaPipe's masks taken frame by frame, and how fast it is made.

    python -m bench.background [--photos FOLDER] [--sheet SHEET.png] [--seconds N]

Flicker is the mean second difference of opacity over three frames, |a - 2 b + c|, in the edge: pixels whose opacity is
between 2 % and 98 % in some frame of either. Steady motion has none. The clips: the sample as the draft engine moves
it, without and with a camera's noise (2 levels, fixed seed), and portraits of FOLDER held still under the same noise.
"single" are our masks, each frame a clip of its own.
Per-frame masks are the network's output enlarged to the frame, as MediaPipe hands it out.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.extension.native import _sonic
from sonic_nodes.matting.backdrop import Backdrop, read_backdrop
from sonic_nodes.matting.person_mask import person_mask
from sonic_nodes.matting.presenter import Presenter
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture

SAMPLE = Path(__file__).resolve().parents[1] / "sonic_nodes" / "assets" / "sample"
PORTRAITS = ("p_astronaut.png", "p_obama.png", "kodim04.png", "kodim15.png")
NOISE_LEVELS, STILL_FRAMES, SIDE_PX = 2.0, 25, 512


def spoken(seconds: float) -> np.ndarray:
    """The sample's frames, uint8 [n, H, W, 3]."""
    picture, sound = read_picture(SAMPLE / "portrait.jpg"), read_sound(SAMPLE / "speech.wav")
    data = pipeline.prepare(picture, sound, duration=seconds)
    engine = DraftEngine()
    return np.concatenate(list(engine.decode(engine.infer(data, 0), data)))


def noisy(frames: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, NOISE_LEVELS, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


def still(path: Path) -> np.ndarray:
    picture = Image.fromarray(read_picture(path))
    picture.thumbnail((SIDE_PX, SIDE_PX))
    return np.repeat(np.asarray(picture)[None], STILL_FRAMES, 0)


def per_frame(frames: np.ndarray) -> np.ndarray:
    """The network's masks, enlarged to the frames: float32 [n, H, W]."""
    height, width = frames.shape[1:3]
    native, planes, out = _sonic.matte_create(width, height), torch.empty(1, 3, 256, 256), []
    for frame in frames:
        _sonic.matte_see(native, planes.numpy(), frame)
        mask = person_mask(planes)
        enlarged = torch.nn.functional.interpolate(mask, (height, width), mode="bilinear", align_corners=False)
        out.append(enlarged.numpy()[0, 0])
    return np.stack(out)


def ours(frames: np.ndarray, is_steady: bool = True) -> np.ndarray:
    """The opacity of csrc/matting; without is_steady each frame is a clip of its own."""
    shape, backdrop = frames.shape[1:3], Backdrop("transparent")
    whole = Presenter(backdrop, *shape)
    made = [(whole if is_steady else Presenter(backdrop, *shape)).frame(frame)[..., 3] for frame in frames]
    return np.stack(made).astype(np.float32) / 255


def flicker(opacity: np.ndarray, edge: np.ndarray) -> float:
    second = np.abs(opacity[2:] - 2 * opacity[1:-1] + opacity[:-2])
    return float(second[:, edge].mean())


def compare(name: str, frames: np.ndarray) -> tuple[float, float, float]:
    """Flicker of per-frame masks, of ours frame by frame, and of ours; in levels of 255."""
    masks, steady, single = per_frame(frames), ours(frames), ours(frames, False)
    edge = sum(((a > 0.02) & (a < 0.98)).any(0).astype(int) for a in (masks, steady)) > 0
    found = tuple(255 * flicker(a, edge) for a in (masks, single, steady))
    print(f"{name:34} {found[0]:6.3f} {found[1]:6.3f} {found[2]:6.3f}   {found[2] / found[0]:5.2f}", flush=True)
    return found


def speed() -> None:
    frame = np.asarray(Image.fromarray(read_picture(SAMPLE / "portrait.jpg")).resize((SIDE_PX, SIDE_PX)))
    for name in ("green", "blur"):
        presenter = Presenter(read_backdrop(name), SIDE_PX, SIDE_PX)
        walls, cpus = [], []
        for _ in range(60):
            wall, cpu = time.perf_counter(), time.process_time()
            presenter.frame(frame)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        wall, cpu = np.median(walls), np.median(cpus)
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(
            f"{name} at {SIDE_PX}x{SIDE_PX}: {1 / wall:.0f} frames/s ({1 / min(walls):.0f} at best), "
            f"{1e3 * cpu:.1f} ms of CPU time a frame, {torch.get_num_threads()} threads{load}"
        )


def sheet(path: str, pictures: list[np.ndarray]) -> None:
    """Each picture as it is, on green, blurred, and its opacity."""
    rows = []
    for picture in pictures:
        size = (320, round(320 * picture.shape[0] / picture.shape[1]))
        made = [Presenter(read_backdrop(name), *picture.shape[:2]).frame(picture) for name in ("green", "blur")]
        opacity = ours(picture[None])[0]
        cells = [picture, *made, np.repeat(np.uint8(255 * opacity)[..., None], 3, 2)]
        rows.append(np.concatenate([np.asarray(Image.fromarray(cell).resize(size)) for cell in cells], 1))
    Image.fromarray(np.concatenate(rows)).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = os.environ.get("SONIC_SHARED")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", default=Path(shared, "photos") if shared else None)
    parser.add_argument("--sheet", metavar="SHEET.png")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="N")
    options = parser.parse_args()
    print(f"{'flicker of the edge, levels of 255':34} masks single  ours   ours/masks")
    clip = spoken(options.seconds)
    rows = [compare("sample, spoken", clip), compare("sample, spoken, noise", noisy(clip))]
    pictures = [clip[len(clip) // 2]]
    for name in PORTRAITS if options.photos else ():
        frames = still(options.photos / name)
        pictures.append(frames[0])
        rows.append(compare(f"{name}, still, noise", noisy(frames)))
    print(f"mean of ours / masks: {np.mean([row[2] / row[0] for row in rows]):.2f}")
    speed()
    if options.sheet:
        sheet(options.sheet, pictures)


if __name__ == "__main__":
    main()
