"""Small videos with the marks of a run, and what other programs read in them."""

import json
import shutil
import subprocess

import av
import numpy as np
import pytest

from sonic_nodes.media.provenance import metadata
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.provenance.marks import Marks, marked

PRODUCER = "001191310000MA1FL0000X00001"  # made up, in the form of a code
DATA = {"source": np.zeros((8, 8, 3), np.uint8), "audio": np.zeros(16, np.float32), "crop_xyxy": (0, 0, 8, 8)}


def marked_tags(marks=None, engine="draft", pasted=False):
    return marked(metadata(engine, 7), DATA, Marks() if marks is None else marks, pasted)


def write_marked(path, marks=None, frames=10, **options):
    """A grey video of 64x64 that moves a little."""
    with VideoWriter(path, 64, 64, metadata=marked_tags(marks), **options) as writer:
        writer.write(
            np.linspace(60, 90, frames).astype(np.uint8)[:, None, None, None] + np.zeros((64, 64, 3), np.uint8)
        )
    return path


def by_exiftool(path):
    """{"group:tag": value}; skips where Debian's libimage-exiftool-perl is not installed."""
    if not shutil.which("exiftool"):
        pytest.skip("exiftool is not installed (Debian: apt-get install libimage-exiftool-perl)")
    found = subprocess.run(["exiftool", "-j", "-G1", str(path)], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)[0]


def by_ffprobe(path):
    """The tags; skips where FFmpeg's programs are not installed."""
    if not shutil.which("ffprobe"):
        pytest.skip("ffprobe is not installed (Debian: apt-get install ffmpeg)")
    command = ["ffprobe", "-v", "error", "-show_format", "-of", "json", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(found.stdout)["format"]["tags"]


def tags_in(path):
    with av.open(str(path)) as container:
        return dict(container.metadata)
