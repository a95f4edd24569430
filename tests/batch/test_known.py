"""What a batch keeps of its checks: only of files that are as they were, and nothing that a crash can harm."""

import json
import os

import pytest

from sonic_nodes.batch import known
from sonic_nodes.batch.known import Known


@pytest.fixture
def settled(monkeypatch):
    """Files are taken as if they had been written long ago."""
    monkeypatch.setattr(known, "COARSE_NS", 0)
    monkeypatch.setattr(known, "FINE_NS", 0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "voice.wav"
    path.write_bytes(b"sound")
    return path


def kept(folder, path) -> dict | None:
    with Known(folder) as found:
        return found.get(found.key("sound", [str(path)]))


def keep(folder, path, value) -> None:
    with Known(folder) as found:
        found.put(found.key("sound", [str(path)]), value)


def test_a_value_is_kept_until_the_file_changes(tmp_path, file, settled):
    keep(tmp_path, file, {"duration_s": 1.5})
    assert kept(tmp_path, file) == {"duration_s": 1.5}
    with Known(tmp_path) as found:
        assert found.get(found.key("digest", [str(file)])) is None
        assert found.get(found.key("sound", [str(file)], "other settings")) is None
        assert found.get(found.key("sound", [str(file), None])) is None
    file.write_bytes(b"SOUND")  # as long as before
    assert kept(tmp_path, file) is None


def test_a_file_with_its_old_size_and_time_is_another(tmp_path, file, settled):
    keep(tmp_path, file, {"duration_s": 1.5})
    before = file.stat()
    file.write_bytes(b"SOUND")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kept(tmp_path, file) is None
    keep(tmp_path, file, {"duration_s": 2.5})
    (other := tmp_path / "other").write_bytes(b"sOUND")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, file)
    assert kept(tmp_path, file) is None


@pytest.mark.parametrize(("age_ns", "is_kept"), [(50_000_000, False), (150_000_000, True)])
def test_what_was_read_within_a_step_of_the_clock_is_not_kept(tmp_path, file, monkeypatch, age_ns, is_kept):
    os.utime(file, ns=(1_700_000_000_000_000_001,) * 2)
    last = file.stat().st_ctime_ns
    monkeypatch.setattr(known.os, "stat", lambda path, real=os.stat: Stat(real(path), last // 10**6 * 10**6 + 1))
    monkeypatch.setattr(known.time, "time_ns", lambda: last // 10**6 * 10**6 + 1 + age_ns)
    keep(tmp_path, file, {"duration_s": 1.5})
    assert (kept(tmp_path, file) is not None) == is_kept


@pytest.mark.parametrize(("age_ns", "is_kept"), [(1_900_000_000, False), (2_100_000_000, True)])
def test_times_in_whole_milliseconds_are_coarse(tmp_path, file, monkeypatch, age_ns, is_kept):
    last = file.stat().st_ctime_ns // 10**9 * 10**9 + 10**9
    monkeypatch.setattr(known.os, "stat", lambda path, real=os.stat: Stat(real(path), last))
    monkeypatch.setattr(known.time, "time_ns", lambda: last + age_ns)
    keep(tmp_path, file, {"duration_s": 1.5})
    assert (kept(tmp_path, file) is not None) == is_kept


class Stat:
    """A file's facts with other times."""

    def __init__(self, real, changed_ns):
        self.st_size, self.st_ino, self.st_mode = real.st_size, real.st_ino, real.st_mode
        self.st_mtime_ns = self.st_ctime_ns = changed_ns


def test_folders_and_missing_files_are_not_known(tmp_path, settled):
    with Known(tmp_path) as found:
        assert found.key("sound", [str(tmp_path)]) is None
        assert found.key("sound", [str(tmp_path / "nothing")]) is None
        found.put(None, {"duration_s": 1.5})
        assert found.get(None) is None


def test_torn_and_foreign_lines_are_passed_over(tmp_path, file, settled):
    keep(tmp_path, file, {"duration_s": 1.5})
    path = tmp_path / known.NAME
    line = path.read_bytes()
    lines = [b"[]", b'{"key": 1}', b'{"key": "a", "value": 3}', b"\xff\xfe", b"[" * 100_000, b"x" * known.MAX_LINE * 2]
    path.write_bytes(b"\n".join([*lines, line.strip(), b'{"key": "torn']))
    assert kept(tmp_path, file) == {"duration_s": 1.5}
    file.write_bytes(b"other")
    keep(tmp_path, file, {"duration_s": 2.5})  # begins a line of its own
    assert kept(tmp_path, file) == {"duration_s": 2.5}


def test_what_is_out_of_date_is_dropped_some_time(tmp_path, file, settled, monkeypatch):
    monkeypatch.setattr(known, "SPARE_LINES", 5)
    for number in range(20):
        file.write_bytes(bytes(number + 1))
        keep(tmp_path, file, {"duration_s": float(number)})
    lines = (tmp_path / known.NAME).read_text().splitlines()
    assert len(lines) <= 8 and kept(tmp_path, file) == {"duration_s": 19.0}
    assert all(isinstance(json.loads(line)["value"], dict) for line in lines)


def test_a_folder_that_takes_no_file_keeps_nothing(tmp_path, file, settled):
    (tmp_path / known.NAME).mkdir()
    keep(tmp_path, file, {"duration_s": 1.5})
    assert kept(tmp_path, file) is None
