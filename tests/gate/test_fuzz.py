"""Damaged files through `sonic check`, and the corpus of the fuzz targets (tests/fuzz) through the extension as it is
shipped."""

import json
import time
from pathlib import Path

import numpy as np

from bench.gate_mutated import mutations
from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError
from sonic_nodes.extension.native import _sonic
from sonic_nodes.gate.check import evidence_of_container, tables
from sonic_nodes.gate.repair import repair_picture

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
FILES, SECONDS = 150, 2.0
HEADER = 8  # bytes before the pixels, tests/fuzz/picture.h


def test_damaged_files_are_rows_and_take_no_time(tmp_path, capsys):
    names = []
    for name, data in mutations(FILES, seed=2):
        (tmp_path / name).write_bytes(data)
        names.append(name)
    started = time.perf_counter()
    assert main(["check", str(tmp_path), "--json"]) in (1, 3)
    assert time.perf_counter() - started < FILES * SECONDS / 4
    rows = json.loads(capsys.readouterr().out)
    assert [Path(row["path"]).name for row in rows] == names
    verdicts = {row["verdict"] for row in rows}
    assert "unreadable" in verdicts and len(verdicts) > 1
    assert all(row["reasons"][0]["advice"].endswith(".") for row in rows if row["verdict"] == "unreadable")


def corpus(*targets):
    files = [path for target in targets for path in sorted((CORPUS / target).iterdir())]
    assert files
    return files


def test_jpeg_corpus():
    read = 0
    for path in corpus("jpeg", "repair_jpeg"):
        data = path.read_bytes()
        try:
            facts = evidence_of_container(data) or {"luma_quality": 0}
            picture = repair_picture(data)[0] if facts["luma_quality"] else None
        except InputError:
            continue
        assert all(np.isfinite(value) for value in facts.values()), path
        assert 0 <= facts["luma_quality"] <= 100, path
        read += picture is not None
    assert read


def test_pixel_corpus():
    for path in corpus("pixels", "repair_plane", "repair_pixels"):
        if path.stat().st_size <= HEADER:
            continue
        picture, face = read_picture_of(path.read_bytes())
        heat = np.zeros((picture.shape[0] // 32, picture.shape[1] // 32), np.uint8)
        assert all(np.isfinite(value) for value in _sonic.gate_evidence(tables(), picture, face, heat).values()), path
        assert repair_picture(picture)[0].shape == picture.shape, path


def read_picture_of(data):
    """(picture, face box) of a file as tests/fuzz/picture.h reads it."""
    width, height, gap, kind = data[0] + 16, data[1] + 16, data[6], data[7]
    face = tuple(int(v) * 4 for v in np.frombuffer(data[2:6], np.int8))
    stride = 3 * width + gap
    i = np.arange(stride * height)
    pixels = (
        np.resize(np.frombuffer(data[8:], np.uint8), i.size)
        + (i // 3 * (kind & 15) >> 6)
        + (i // stride * (kind >> 4) >> 2)
    )
    rows = pixels.astype(np.uint8).reshape(height, stride)
    return np.ascontiguousarray(rows[:, : 3 * width].reshape(height, width, 3)), face
