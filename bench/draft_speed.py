"""Draft renderer: frames per second into memory at 512x512, teeth and sway on, against OpenCV's remap of whole frames.

The peer does less: one bicubic pass per frame with a precomputed map, no layers, no mouth.
Usage: python -m bench.draft_speed [--frames 200] [--size 512] [--threads N] [PORTRAIT MESH.npy]
"""

import argparse
import time

import numpy as np
import torch

from sonic_nodes.extension.native import _sonic
from tests.oracles import faces


def speaking(frames):
    """Poses of continuous speech with sway and occasional blinks: every frame moves."""
    t = np.arange(frames, dtype=np.float32) / 25
    poses = np.zeros((frames, 8), np.float32)
    poses[:, 0] = 0.05 + 0.04 * np.sin(2 * np.pi * 4 * t)
    poses[:, 1] = 0.08 * np.sin(2 * np.pi * 1.7 * t)
    poses[:, 2] = 0.3
    poses[:, 4] = np.clip(4 * np.sin(2 * np.pi * 0.4 * t) - 3, 0, 1)
    poses[:, 5] = 0.02 * np.sin(2 * np.pi * 0.3 * t) + 0.003
    poses[:, 6] = 0.01 * np.cos(2 * np.pi * 0.4 * t) + 0.002
    poses[:, 7] = 0.03 * np.sin(2 * np.pi * 0.2 * t) + 0.002
    return poses


def best_of(repeats, work):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def remap_seconds(picture, frames, threads):
    import cv2

    cv2.setNumThreads(threads)
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float32)
    x, y = x + 3.3 * np.sin(y / 40), y + 2.7 * np.cos(x / 50)
    return best_of(3, lambda: [cv2.remap(picture, x, y, cv2.INTER_CUBIC) for _ in range(frames)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("face", nargs="*", help="PORTRAIT MESH.npy of a square portrait; otherwise a drawn face")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.face:
        from PIL import Image

        picture, mesh = np.array(Image.open(options.face[0]).convert("RGB")), np.load(options.face[1])
    else:
        picture, mesh = faces.drawn_face(options.size, options.size), faces.drawn_mesh(options.size, options.size)
    poses = speaking(options.frames)
    out = np.zeros((options.frames, *picture.shape), np.uint8)
    created = best_of(3, lambda: _sonic.draft_rig_create(picture, mesh))
    rig = _sonic.draft_rig_create(picture, mesh)
    _sonic.draft_render(rig, poses[:8], out[:8])
    ours = best_of(3, lambda: _sonic.draft_render(rig, poses, out))
    peer = remap_seconds(picture, options.frames, options.threads)
    print(
        f"{picture.shape[1]}x{picture.shape[0]}, {options.threads} threads: {options.frames / ours:.0f} frames/s "
        f"({1000 * ours / options.frames:.2f} ms each), rig {1000 * created:.0f} ms"
    )
    print(
        f"cv2.remap, bicubic, whole frame, map given: {options.frames / peer:.0f} frames/s; "
        f"ratio of times {ours / peer:.2f}"
    )


if __name__ == "__main__":
    main()
