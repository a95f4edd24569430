"""The journal: torn ends, foreign lines, a full disk, a second batch, and a clock that jumps."""

import errno
import json
import os
import time

import pytest

from sonic_nodes.batch.journal import DONE, FAILED, NAME, START, Journal, digest_of
from sonic_nodes.errors import OutputError, ResourceError


def finished(folder, name="a.mp4", content=b"video"):
    (folder / name).write_bytes(content)
    return {"bytes": len(content), "sha256": digest_of(folder / name)}


def test_what_is_done_is_known_the_next_time(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write(START, "k", "a.mp4")
        journal.write(DONE, "k", "a.mp4", **finished(tmp_path))
        journal.write(FAILED, "l", "b.mp4", error="no face")
    with Journal(tmp_path) as journal:
        assert journal.is_done("k", "a.mp4", str(tmp_path / "a.mp4"))
        assert not journal.is_done("other", "a.mp4", str(tmp_path / "a.mp4"))
        assert not journal.is_done("l", "b.mp4", str(tmp_path / "b.mp4"))
        assert journal.ends["l", "b.mp4"]["error"] == "no face"
    for content in (b"VIDEO", b"", b"longer video"):
        (tmp_path / "a.mp4").write_bytes(content)
        with Journal(tmp_path) as journal:
            assert not journal.is_done("k", "a.mp4", str(tmp_path / "a.mp4"))


def test_a_journal_torn_at_any_byte_keeps_its_whole_lines(tmp_path):
    with Journal(tmp_path) as journal:
        for number in range(3):
            journal.write(DONE, f"k{number}", "a.mp4", bytes=1, sha256="x")
    whole = (tmp_path / NAME).read_bytes()
    for end in range(len(whole) + 1):
        (tmp_path / NAME).write_bytes(whole[:end])
        with Journal(tmp_path) as journal:
            assert len(journal.ends) == whole[:end].count(b"\n") and journal.ignored == 0
            journal.write(DONE, "new", "a.mp4")
        lines = (tmp_path / NAME).read_bytes().splitlines()
        assert json.loads(lines[-1])["key"] == "new" and len(lines) == whole[:end].count(b"\n") + 1


def test_lines_that_are_no_records_are_counted_and_kept(tmp_path):
    foreign = b'nonsense\n[]\n{"event": "done"}\n' + b"[" * 5000 + b"\n\xff\xfe\n"
    (tmp_path / NAME).write_bytes(foreign)
    with Journal(tmp_path) as journal:
        assert journal.ignored == 5 and journal.ends == {}
    assert (tmp_path / NAME).read_bytes() == foreign


def test_a_second_batch_is_refused(tmp_path):
    with Journal(tmp_path):
        with pytest.raises(OutputError, match="Wait for the other batch"), Journal(tmp_path):
            pass
    with Journal(tmp_path) as journal:
        journal.write(START, "k", "a")


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    with Journal(tmp_path) as journal:
        journal.write(START, "k", "a")
        whole, written = (tmp_path / NAME).read_bytes(), []

        def full(descriptor, data, write=os.write):
            if written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written.append(write(descriptor, data[:5]))
            return 5

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(ResourceError, match="Free disk space"):
            journal.write(START, "l", "b")
    assert (tmp_path / NAME).read_bytes() == whole


def test_each_record_is_flushed_to_the_disk(tmp_path, monkeypatch):
    flushed = []
    with Journal(tmp_path) as journal:
        monkeypatch.setattr(os, "fsync", lambda _: flushed.append((tmp_path / NAME).read_bytes().count(b"\n")))
        for _ in range(3):
            journal.write(START, "k", "a")
    assert flushed == [1, 2, 3]


def test_a_clock_that_goes_back_changes_nothing(tmp_path, monkeypatch):
    """The last record counts, whatever its time."""
    with Journal(tmp_path) as journal:
        journal.write(FAILED, "k", "a.mp4", error="worker")
        monkeypatch.setattr(time, "time", lambda: 0.0)
        journal.write(DONE, "k", "a.mp4", **finished(tmp_path))
    with Journal(tmp_path) as journal:
        assert journal.is_done("k", "a.mp4", str(tmp_path / "a.mp4"))
