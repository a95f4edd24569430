"""Consents: kept as text and digest, refused when they cannot be read or have ended."""

import hashlib
import os
from datetime import date

import pytest

from sonic_nodes.errors import InputError, UsageError
from sonic_nodes.media.provenance import layered, read_back, record_of
from sonic_nodes.provenance.consent import MAX_BYTES, MAX_TEXTS, consents_of
from sonic_nodes.provenance.marks import Marks
from tests.provenance.marked_clip import marked_tags, write_marked

TEXT = "Ada agrees to talking videos of her portrait.\nUntil: 2027-12-31\n"
TODAY = date(2026, 12, 1)


def test_a_file_is_kept_as_text_and_digest(tmp_path):
    path = tmp_path / "ada.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    (found,) = consents_of([str(path)], TODAY)
    assert found.record() == {
        "text": TEXT.strip(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "until": "2027-12-31",
    }


def test_a_text_is_kept_too():
    (found,) = consents_of(["阿达同意制作说话视频。"], TODAY)
    assert found.record() == {
        "text": "阿达同意制作说话视频。",
        "sha256": hashlib.sha256(found.text.encode()).hexdigest(),
    }


def test_the_video_has_each_of_them(tmp_path):
    marks = Marks(consents=consents_of([TEXT, "Bob lends his voice."], TODAY))
    found = read_back(write_marked(tmp_path / "a.mp4", marks))["consent"]
    assert [consent["text"] for consent in found] == [TEXT.strip(), "Bob lends his voice."]


def test_the_longest_consents_leave_the_label_readable(tmp_path):
    marks = Marks(consents=consents_of(["\x01" * (MAX_BYTES - 2) + f"{i}" for i in range(MAX_TEXTS)], TODAY))
    assert len(record_of(marked_tags(marks))["consent"]) == MAX_TEXTS
    assert len(read_back(write_marked(tmp_path / "a.mp4", marks))["consent"]) == MAX_TEXTS


def test_the_consents_of_two_speakers_are_joined():
    ada, bob = (Marks(consents=consents_of([text], TODAY)) for text in (TEXT, "Bob agrees."))
    both = record_of(layered(marked_tags(ada), marked_tags(bob)))["consent"]
    assert [consent["text"] for consent in both] == [TEXT.strip(), "Bob agrees."]
    assert record_of(layered(marked_tags(ada), marked_tags(ada)))["consent"] == both[:1]
    assert record_of(layered(marked_tags(), marked_tags(bob)))["consent"] == both[1:]


@pytest.mark.parametrize("line", ["until: 2026-12-01", "Valid until: 2026-12-01", "有效期至：2026-12-01"])
def test_the_last_day_counts_and_the_next_does_not(line):
    assert consents_of([f"Ada agrees.\n{line}"], TODAY)[0].until == "2026-12-01"
    with pytest.raises(UsageError, match=r"^Ask for a new consent: that of --consent ended on 2026-12-01\."):
        consents_of([f"Ada agrees.\n{line}"], date(2026, 12, 2))


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", "Write in the consent who agrees"),
        (b" \n", "Write in the consent who agrees"),
        (b"a\0b", "Write in the consent who agrees"),
        (b"\xff\xfea\0", "Save the consent as plain text in UTF-8"),
        (b"x" * (MAX_BYTES + 1), "Shorten the consent"),
        (b"until: tomorrow", "Write the end of the consent as YYYY-MM-DD"),
    ],
)
def test_what_is_no_consent_is_refused(tmp_path, content, remedy):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UsageError, match=f"^{remedy}.*'a.txt'"):
        consents_of([str(tmp_path / "a.txt")], TODAY)


def test_a_name_without_a_file_is_not_taken_for_the_text(tmp_path):
    with pytest.raises(InputError, match="^Check the file's name and folder"):
        consents_of([str(tmp_path / "absent.txt")], TODAY)
    with pytest.raises(InputError, match="^Choose a file on disk"):
        consents_of([str(tmp_path)], TODAY)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="^Choose a file on disk"):
        consents_of([str(tmp_path / "pipe")], TODAY)


def test_too_many_are_refused():
    with pytest.raises(UsageError, match="^Put the consents into fewer files: 9 are named"):
        consents_of(["a"] * 9, TODAY)
