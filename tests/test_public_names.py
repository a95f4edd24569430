"""Every public name, as public_names.json records it: nodes, commands, exit codes, JSON keys, dicts, variables, files.

A difference is a change for users: their workflow files, scripts and folders hold these names. After a change that is
wanted, and told in CHANGELOG.md, record the names again:

    .venv/bin/python -m tests.tools.public_names > tests/public_names.json

The names are taken from what the program does with small inputs, so internals may be renamed freely. Keys of JSON and
of dicts are dotted paths, [] stands for each element of a list, and the value is the type.
"""

import json
from pathlib import Path

import pytest
import torch

from tests.tools.public_names import SECTIONS, Runs, pretty

RECORDED = Path(__file__).with_name("public_names.json")


def differences(recorded, now, path: str = ""):
    """Lines that say where two values differ."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in sorted(recorded.keys() | now.keys()):
            yield from differences(recorded.get(key, "nothing"), now.get(key, "nothing"), f"{path} > {key}")
    elif isinstance(recorded, list) and isinstance(now, list) and recorded != now:
        lost, new = ([item for item in a if item not in b] for a, b in ((recorded, now), (now, recorded)))
        yield f"{path}: lost {json.dumps(lost)}, new {json.dumps(new)}" if lost or new else f"{path}: in another order"
    elif recorded != now:
        yield f"{path}: recorded {json.dumps(recorded)}, now {json.dumps(now)}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory, small_models):
    """On one thread: the work is small, and threads that wait for each other take minutes where processors are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Runs(tmp_path_factory.mktemp("names"), small_models)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("section", SECTIONS)
def test_public_names_are_the_recorded_ones(section, runs):
    recorded = json.loads(RECORDED.read_text("utf-8"))
    now = json.loads(json.dumps(SECTIONS[section](runs)))
    found = list(differences(recorded.get(section), now, section))
    if found:
        pytest.fail("A change for users, see the head of this file:\n" + "\n".join(found), pytrace=False)


def test_nothing_else_is_recorded():
    text = RECORDED.read_text("utf-8")
    assert json.loads(text).keys() == SECTIONS.keys() and text == pretty(json.loads(text)) + "\n"
