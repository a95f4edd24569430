"""SHA-256 of what the extension computes from fixed inputs, one line a result: two machines or installations compare by
`diff`.

    python -m bench.fingerprint [--golden DIR]

Bits are only promised to be equal where PyTorch, the processor and the number of threads are: other releases of PyTorch
order their sums differently. bench/parity.py says how far from right a result is; this says only whether it is the
same.
"""

import hashlib
import sys
import wave
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench import parity
from sonic_nodes import face
from sonic_nodes.extension.native import _sonic

HERE = Path(__file__).resolve().parent
SAMPLE = Path(face.__file__).resolve().parent / "assets" / "sample"


class Fingerprint(parity.Parity):
    """Goes through the stages of the parity bench and keeps hashes where that compares."""

    def __init__(self, folder):
        super().__init__(folder, "cpu", torch.float32, False)
        self.found: dict[str, str] = {}

    def add(self, stage, got, *rest, **more):
        self.put(stage, got.contiguous().numpy())

    def put(self, stage: str, array):
        assert stage not in self.found, stage
        self.found[stage] = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def draft(found: Fingerprint):
    """The sample's face, its voice, and the frames that the draft engine draws of both."""
    picture = np.asarray(Image.open(SAMPLE / "portrait.jpg"))
    with wave.open(str(SAMPLE / "speech.wav")) as file:
        voice = np.frombuffer(file.readframes(32000), np.int16).astype(np.float32) / 32768
    mesh = face.find_faces(picture)[0].mesh
    poses = _sonic.draft_poses(voice, 50, 7)
    frames = np.empty((8, *picture.shape), np.uint8)
    _sonic.draft_render(_sonic.draft_rig_create(picture, mesh), poses[:8], frames)
    for name, array in (
        ("portrait, decoded", picture),
        ("face mesh", mesh),
        ("draft poses", poses),
        ("draft frames", frames),
    ):
        found.put(name, array)


def main() -> int:
    folder = sys.argv[2] if sys.argv[1:2] == ["--golden"] else HERE.parent / "tests" / "golden"
    found = Fingerprint(folder)
    for stage in (*parity.STAGES, draft):
        stage(found)
    width = max(map(len, found.found))
    for name, digest in found.found.items():
        print(f"{name:{width}}  {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
