"""Writes the draft engine's frames of the sample to a NumPy file, for comparison between systems.

python -m tools.qemu.frames FILE.npy
"""

import sys
import wave
from pathlib import Path

import numpy as np
from PIL import Image

import sonic_nodes
from sonic_nodes import face
from sonic_nodes.extension.native import _sonic

SAMPLE = Path(sonic_nodes.__file__).resolve().parent / "assets" / "sample"
FRAMES, SIDE_PX = 25, 256  # a second of speech, small: an emulator is slow


def main() -> None:
    picture = np.asarray(Image.open(SAMPLE / "portrait.jpg").convert("RGB").resize((SIDE_PX, SIDE_PX)))
    with wave.open(str(SAMPLE / "speech.wav")) as file:
        voice = np.frombuffer(file.readframes(FRAMES * file.getframerate() // 25), np.int16)
    mesh = face.find_faces(picture)[0].mesh
    poses = _sonic.draft_poses(voice.astype(np.float32) / 32768, FRAMES, 7)
    frames = np.empty((FRAMES, *picture.shape), np.uint8)
    _sonic.draft_render(_sonic.draft_rig_create(picture, mesh), poses, frames)
    np.save(sys.argv[1], frames)


if __name__ == "__main__":
    main()
