"""Start times of both tracks and the priming samples that a file declares are part of the offset."""

import json

import pytest

from sonic_nodes.commands import cli
from sonic_nodes.commands.sync import measure
from sonic_nodes.lipsync import fix
from tests.lipsync.speaking import RecordedTracker, frames, speech
from tests.lipsync.test_clips import packets, write_video


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
@pytest.mark.parametrize("first_frame, first_sample", [(0, 0), (0, 2560), (5, 0)])
def test_the_start_times_of_both_tracks_are_part_of_the_offset(tmp_path, monkeypatch, name, first_frame, first_sample):
    monkeypatch.setattr("sonic_nodes.commands.sync.mouth_tracker", RecordedTracker)
    write_video(tmp_path / name, frames()[:175], speech(), first_frame=first_frame, first_sample=first_sample)
    found = measure(str(tmp_path / name))
    # AAC's 1024 priming samples are 64 ms at 16 kHz; MP4 declares them only for sound that starts at 0
    priming_ms = 64.0 if first_sample and not name.endswith(".mkv") else 0.0
    assert found.is_confident
    assert found.offset_ms == pytest.approx(first_sample / 16 - first_frame * 40, abs=25 + priming_ms)


def test_the_command_corrects_a_file_and_keeps_its_frames(tmp_path, capsys):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, frames()[:100], fix.shifted(speech(), 180.0))
    assert cli.main(["sync", str(source), "--json", "--fix", str(target)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"offset_ms", "confidence", "reason", "notes", "moved_ms", "output"}
    assert result["offset_ms"] == pytest.approx(180, abs=25)
    assert result["moved_ms"] == pytest.approx(fix.TARGET_MS - result["offset_ms"], abs=0.1)
    assert packets(source) == packets(target)
    again = measure(str(target))
    assert again.offset_ms == pytest.approx(fix.TARGET_MS, abs=8)
    assert fix.decide(again, 200)[0] == 0.0
