"""What builds and tests this project is pinned: packages by hash, GitHub's actions by commit. What users run is not."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.lock import LOCKS, PLATFORMS, PYTHONS, pins, read

ROOT = Path(__file__).resolve().parents[2]
USES = re.compile(r"uses: *(?P<name>[^@\s]+)@(?P<version>\S+)(?P<rest>.*)$", re.MULTILINE)


def wanted(source: Path) -> list:
    """The requirements of a list and of those that it includes."""
    found = []
    for text in source.read_text("utf-8").splitlines():
        line = text.split("#")[0].strip()
        if line.startswith("-r "):
            found += wanted(source.parent / line[3:])
        elif line:
            found.append(Requirement(line))
    return found


@pytest.fixture(params=LOCKS.items(), ids=lambda pair: pair[1])
def lists(request):
    source, lock = request.param
    return ROOT / source, read((ROOT / lock).read_text("utf-8"))


def test_every_entry_is_one_version_with_the_hashes_of_its_files(lists):
    _, entries = lists
    assert len(entries) > 5
    for entry in entries:
        assert [item.operator for item in entry.requirement.specifier] == ["=="], entry
        assert entry.hashes and all(re.fullmatch("[0-9a-f]{64}", digest) for digest in entry.hashes), entry
        assert entry.requirement.url is None


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_lock_fits_its_list_on_every_python(lists, python, platform):
    """A list that was changed and not locked anew fails here."""
    source, entries = lists
    names = [re.split("==", pin) for pin in pins(entries, python, platform)]
    locked = {name.lower().replace(".", "-"): version for name, version in names}
    assert len(locked) == len(names), "two versions of one package"
    environment = {"sys_platform": platform, "python_version": python}
    for requirement in wanted(source):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = requirement.name.lower().replace(".", "-")
            assert requirement.specifier.contains(locked[name]), requirement


def test_torch_is_in_no_lock(lists):
    """The one that is installed serves; setup chooses the build for the machine."""
    assert not {entry.requirement.name for entry in lists[1]} & {"torch", "torchvision", "torchaudio"}


def test_every_list_of_tools_is_locked():
    """Also those that no range stands behind."""
    found = {*ROOT.glob("requirements*.txt"), *ROOT.glob("tools/requirements*.txt")} - {ROOT / "requirements.txt"}
    assert {ROOT / lock for lock in LOCKS.values()} <= found
    for path in found:
        entries = read(path.read_text("utf-8"))
        assert entries and all(entry.hashes for entry in entries), path
        assert all(str(entry.requirement.specifier).startswith("==") for entry in entries), path


def test_users_packages_are_ranges():
    assert "==" not in (ROOT / "requirements.txt").read_text("utf-8")
    assert "--hash" not in (ROOT / "requirements.txt").read_text("utf-8")


def test_a_lock_is_read_as_pip_reads_it():
    text = (
        "# a comment\na.b==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "a" * 64 + " \\\n"
        "    --hash=sha256:" + "b" * 64 + "\n    # via c\nc==2 \\\n    --hash=sha256:" + "c" * 64 + "\n"
    )
    first, second = read(text)
    assert (first.requirement.name, first.hashes) == ("a.b", {"a" * 64, "b" * 64})
    assert first.applies("3.12", "win32") and not first.applies("3.12", "linux")
    assert pins([first, second], "3.10", "linux") == ["c==2"]


def actions():
    """(file, name, version, rest of the line) of every action that a workflow uses."""
    for path in sorted((ROOT / ".github").rglob("*.y*ml")):
        for match in USES.finditer(path.read_text("utf-8")):
            yield path.name, *match.groups()


@pytest.mark.skipif(not (ROOT / ".github").is_dir(), reason="the workflows are not here")
def test_actions_are_pinned_by_commit():
    """A tag can be moved to other code, a commit cannot. The comment says which version it is."""
    found = [item for item in actions() if not item[1].startswith("./")]
    assert found
    for file, name, version, rest in found:
        assert re.fullmatch("[0-9a-f]{40}", version), f"{file}: pin {name}@{version} by its commit"
        assert re.fullmatch(r" +# v\d+(\.\d+)*", rest), f"{file}: name the version of {name} in a comment"
    assert len({(name, version) for _, name, version, _ in found}) == len({name for _, name, *_ in found})
