"""Damaged files through `sonic check`, and the corpus of tests/fuzz through the extension as it is shipped."""

import json
import time
from pathlib import Path

import numpy as np

from bench.gate_mutated import KINDS, MUTATIONS, SECONDS, mutations
from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError
from sonic_nodes.extension.native import _sonic
from sonic_nodes.gate import workers
from sonic_nodes.gate.check import evidence_of_container, tables
from sonic_nodes.gate.repair import repair_picture
from sonic_nodes.gate.verdict import judge

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "fuzz" / "corpus"
FILES = 3 * len(KINDS) * len(MUTATIONS)  # each kind of damage begins three files of each format
HEADER = 8  # bytes before the pixels, tests/fuzz/picture.h


def test_each_damaged_file_is_a_result_within_the_time_limit(tmp_path, capsys, monkeypatch):
    """Processor time of the process that judges: a busy machine does not change it."""
    spent, judge_source = {}, workers.check_source

    def timed(source, *rest):
        started = time.process_time()
        try:
            return judge_source(source, *rest)
        finally:
            spent[Path(source).name] = time.process_time() - started

    monkeypatch.setattr(workers, "check_source", timed)
    for name, data in mutations(FILES, seed=2):
        (tmp_path / name).write_bytes(data)
    assert main(["check", str(tmp_path), "--json"]) in (1, 3)
    results = json.loads(capsys.readouterr().out)
    assert [Path(result["path"]).name for result in results] == sorted(path.name for path in tmp_path.iterdir())
    assert len(spent) == len(results) == FILES
    assert {name: seconds for name, seconds in spent.items() if seconds > SECONDS} == {}
    verdicts = {result["verdict"] for result in results}
    assert "unreadable" in verdicts and len(verdicts) > 1
    assert all(result["reasons"][0]["advice"].endswith(".") for result in results if result["verdict"] == "unreadable")


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
        evidence = _sonic.gate_evidence(tables(), picture, face, heat)
        assert all(np.isfinite(value) for value in evidence.values()), path
        assert repair_picture(picture, judge(evidence, None))[0].shape == picture.shape, path


def read_picture_of(data):
    """(picture, face box) of a file in the format of tests/fuzz/picture.h."""
    width, height, padding, slope = data[0] + 16, data[1] + 16, data[6], data[7]
    face = tuple(int(v) * 4 for v in np.frombuffer(data[2:6], np.int8))
    stride = 3 * width + padding
    i = np.arange(stride * height, dtype=np.int32)
    pattern = np.frombuffer(data[HEADER:], np.uint8)
    pixels = np.tile(pattern, -(-i.size // pattern.size))[: i.size]
    pixels = pixels + (i // 3 * (slope & 15) >> 6) + (i // stride * (slope >> 4) >> 2)
    rows = pixels.astype(np.uint8).reshape(height, stride)
    return np.ascontiguousarray(rows[:, : 3 * width].reshape(height, width, 3)), face
