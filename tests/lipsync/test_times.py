"""Files say when pictures and sound begin, and how much of the encoder's own beginning is left out: all of it
counts."""

import json

import pytest

from sonic_nodes.commands import cli
from sonic_nodes.commands.sync import measure
from sonic_nodes.lipsync import fix
from tests.lipsync.speaking import frames, speech
from tests.lipsync.test_clips import packets, write_video


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
@pytest.mark.parametrize("first_picture, first_sample", [(0, 0), (0, 2560), (5, 0)])
def test_when_pictures_and_sound_begin_is_part_of_the_offset(tmp_path, name, first_picture, first_sample):
    write_video(tmp_path / name, list(frames()[:175]), speech(), first_picture=first_picture, first_sample=first_sample)
    found = measure(str(tmp_path / name))
    # AAC's 1024 samples of priming at 16 kHz are 64 ms; a file whose sound begins later cannot say that they are to be
    # left out
    unsaid_ms = 64.0 if first_sample and not name.endswith(".mkv") else 0.0
    assert found.is_sure
    assert found.offset_ms == pytest.approx(first_sample / 16 - first_picture * 40, abs=25 + unsaid_ms)


def test_the_command_mends_a_file_and_leaves_its_pictures(tmp_path, capsys):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, list(frames()[:175]), fix.moved(speech(), 180.0))
    assert cli.main(["sync", str(source), "--json", "--fix", str(target)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"offset_ms", "confidence", "reason", "moved_ms", "output"}
    assert told["offset_ms"] == pytest.approx(180, abs=25) and told["moved_ms"] == pytest.approx(
        fix.TARGET_MS - told["offset_ms"], abs=0.1
    )
    assert packets(source) == packets(target)
    again = measure(str(target))
    assert again.offset_ms == pytest.approx(fix.TARGET_MS, abs=8)
    assert fix.decide(again, 200)[0] == 0.0
