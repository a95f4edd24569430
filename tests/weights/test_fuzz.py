"""The corpora of the Python targets in tests/fuzz, without a fuzzer, and changes of their inputs."""

import random
from pathlib import Path

import pytest
import torch

from sonic_nodes.weights.entries import Entry
from tests.fuzz import pickle_table, safetensors_header, weight_file
from tests.fuzz.support import promises

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus"
TARGETS = {module.__name__.rpartition(".")[2]: module for module in (pickle_table, safetensors_header, weight_file)}


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name, monkeypatch):
    """Every input keeps the promises; some are whole files, so that the promises are asked at all."""
    asked, real = [], promises.check_entries
    monkeypatch.setattr(TARGETS[name], "check_entries", lambda found, size: asked.extend(found) or real(found, size))
    files = sorted((CORPUS / name).iterdir())
    assert files
    for path in files:
        TARGETS[name].check(path.read_bytes())
    assert len(asked) > 5


@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs(name):
    draw = random.Random(7)
    inputs = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    for _ in range(600):
        data = bytearray(draw.choice(inputs))
        for _ in range(draw.choice([1, 2, 8])):
            at, count = draw.randrange(len(data) + 1), draw.choice([0, 1, 1, 4])
            data[at : at + count] = draw.choice([draw.randbytes(count), data[: draw.randrange(9)]])
        TARGETS[name].check(bytes(data))


def test_a_broken_promise_is_noticed():
    outside = {"x": Entry(torch.float32, (4,), 60)}
    with pytest.raises(AssertionError):
        promises.check_entries(outside, 64)
    with pytest.raises(AssertionError):
        promises.check_apart({"x": Entry(torch.uint8, (4,), 8), "y": Entry(torch.uint8, (4,), 11)})
