"""`sonic sync --fix` on many kinds of files: the copy shows the same frames at the same time, or nothing is written."""

import json
import os
import struct
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from sonic_nodes.commands import cli
from sonic_nodes.lipsync import fix
from sonic_nodes.media import provenance
from sonic_nodes.media.audio import read_sound_at
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.watermark.marker import with_watermark
from sonic_nodes.watermark.reader import find_watermarks
from tests.lipsync.speaking import RecordedTracker, frames, speech
from tests.provenance.marked_clip import marked_tags, tags_in

LATE_MS = 180.0


@pytest.fixture
def recorded(monkeypatch):
    """For tests of the files, not of the tracker."""
    monkeypatch.setattr("sonic_nodes.commands.sync.mouth_tracker", RecordedTracker)


def write_clip(path, start_s=0, tracks=1, tags=None, count=75):
    """The talking sample with its sound LATE_MS late, with B-frames."""
    late = fix.shifted(speech(), LATE_MS)
    with av.open(str(path), "w") as container:
        container.metadata.update(tags or {})
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "2"})
        video.height, video.width = frames().shape[1:3]
        sounds = [container.add_stream("aac", rate=late.rate, layout="mono") for _ in range(tracks)]
        for i, image in enumerate(frames()[:count]):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i + 25 * start_s, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in sounds:
            for at in range(0, late.samples, 1024):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(late.waveform[:, at : at + 1024]), format="fltp", layout="mono"
                )
                frame.sample_rate, frame.time_base, frame.pts = (
                    late.rate,
                    Fraction(1, late.rate),
                    at + start_s * late.rate,
                )
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def shown(path):
    """([(time after the first frame, mean level, rotation)], time of the first)"""
    with av.open(str(path)) as container:
        found = [(f.time, f.to_ndarray(format="rgb24").mean(), f.rotation) for f in container.decode(video=0)]
    return [(round(time - found[0][0], 3), level, rotation) for time, level, rotation in found], found[0][0]


def run(capsys, *arguments):
    code = cli.main(["sync", *map(str, arguments), "--json"])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, json.loads(printed.out) if printed.out else None, printed.err


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.ts", "a.flv"])
@pytest.mark.parametrize("start_s", [0, 40000])
def test_every_frame_is_in_the_copy_and_the_sound_is_shifted(capsys, tmp_path, recorded, name, start_s):
    source, target = write_clip(tmp_path / name, start_s), tmp_path / "out.mp4"
    code, result, errors = run(capsys, source, "--fix", target)
    assert code == 0 and result["moved_ms"] < -100, errors or result
    (before, first), (after, first_after) = shown(source), shown(target)
    assert before == after and len(after) == 75
    assert first_after <= 1 and os.path.getsize(target) < 3 * os.path.getsize(source)
    (sound, start), (moved, start_after) = read_sound_at(source), read_sound_at(target)
    at, at_after = (
        when + np.flatnonzero(np.abs(s.mono()) > 0.05)[0] / s.rate for s, when in ((sound, start), (moved, start_after))
    )
    assert (at_after - first_after) - (at - first) == pytest.approx(result["moved_ms"] / 1000, abs=0.002)


def test_a_rotated_video_stays_rotated(capsys, tmp_path):
    source = write_clip(tmp_path / "a.mp4")
    content = bytearray(source.read_bytes())
    matrix = content.index(b"tkhd") + 44  # ISO/IEC 14496-12, 8.3.2; the video track is the first
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 256 << 16, 0, 1 << 30)
    source.write_bytes(content)
    assert run(capsys, source, "--fix", tmp_path / "out.mp4")[1]["moved_ms"] < -100
    assert shown(tmp_path / "out.mp4")[0] == shown(source)[0] and shown(source)[0][0][2] == -90


def test_the_label_is_copied(capsys, tmp_path, recorded):
    tags = provenance.metadata("draft", 1)
    source = write_clip(tmp_path / "a.mp4", tags=tags)
    run(capsys, source, "--fix", tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() != source.read_bytes()
    label = provenance.read_back(tmp_path / "out.mp4")
    assert label["ai_generated"] and label["tags"]["title"] == tags["title"]
    assert label["xmp_digital_source_type"].endswith("compositeSynthetic")


def test_the_marks_are_copied(tmp_path):
    """The XMP packet byte for byte, also one that this program did not write."""
    with VideoWriter(tmp_path / "b.mp4", *frames().shape[2:0:-1], 25, metadata=marked_tags(), packet=b"<x/>") as writer:
        writer.write(frames()[:75])
    target = tmp_path / "out.mp4"
    fix.write_shifted(str(tmp_path / "b.mp4"), str(target), speech(), 0.0)
    assert tags_in(target)["AIGC"] == marked_tags()["AIGC"] and tags_in(target)["title"] == marked_tags()["title"]
    with open(target, "rb") as file:
        assert provenance.xmp_packet(file) == b"<x/>"


def test_a_corrected_clip_keeps_its_watermark(capsys, tmp_path, recorded):
    """The frames have it still, and the label names the one that they have."""
    tags, marker = with_watermark(marked_tags())
    late = fix.shifted(speech(), LATE_MS)
    late = replace(late, waveform=late.waveform[:, : 3 * late.rate])
    source, target = tmp_path / "a.mp4", tmp_path / "out.mp4"
    with VideoWriter(source, *frames().shape[2:0:-1], 25, late, metadata=tags) as writer:
        writer.write(marker.apply(frames()[:75]))
    code, result, errors = run(capsys, source, "--fix", target)
    assert code == 0 and result["moved_ms"] < -100, errors or result
    (found,) = find_watermarks(target)
    assert found.payload == f"{marker.payload:08x}" == provenance.read_back(target)["watermark"]
    assert found.pilots == pytest.approx(find_watermarks(source)[0].pilots)


def test_further_audio_tracks_are_copied_and_reported(capsys, tmp_path, recorded):
    source = write_clip(tmp_path / "a.mp4", tracks=2)
    result = run(capsys, source, "--fix", tmp_path / "out.mp4")[1]
    assert result["reason"].endswith("Further audio tracks, copied without a shift: 1.")
    assert packets(tmp_path / "out.mp4", 2) == packets(source, 2) and len(packets(source, 2)) > 40


def packets(path, index):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams[index]) if packet.size]


def read_only(folder):
    target = folder / "out.mp4"
    target.write_bytes(b"mine")
    target.chmod(0o444)
    return target


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        (lambda folder: folder / "absent" / "out.mp4", "Create the folder first"),
        (lambda folder: folder, "Choose a file name"),
        (read_only, "Choose another file name"),
        (lambda folder: folder / "a.mp4", "Choose another name"),
        (lambda folder: "", "Choose a file name"),
    ],
)
def test_an_unwritable_target_is_reported_before_the_clip_is_measured(capsys, tmp_path, monkeypatch, target, remedy):
    source = write_clip(tmp_path / "a.mp4", count=3)
    monkeypatch.setattr("sonic_nodes.commands.sync.measure", lambda path: pytest.fail("measured"))
    target = target(tmp_path)
    before = sorted(os.listdir(tmp_path))
    code, _, errors = run(capsys, source, "--fix", target)
    assert code == 6 and errors.startswith(f"sonic: {remedy}")
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("share", [0.35, 0.8])
def test_a_truncated_file_is_measured_up_to_its_end(capsys, tmp_path, recorded, share):
    whole = write_clip(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: int(len(whole) * share)])
    code, result, _ = run(capsys, tmp_path / "cut.mkv", "--fix", tmp_path / "out.mp4")
    assert code == 0 and result["reason"]
    assert shown(tmp_path / "out.mp4")[0][:20] == shown(tmp_path / "cut.mkv")[0][:20]


def test_damaged_frames_are_skipped(capsys, tmp_path, recorded):
    source = write_clip(tmp_path / "a.mkv")
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    content = source.read_bytes()
    for packet in packets[40:44]:
        content = content.replace(packet, bytes(len(packet)))
    source.write_bytes(content)
    with av.open(str(source)) as container, pytest.raises(av.error.InvalidDataError):
        list(container.decode(video=0))
    code, result, errors = run(capsys, source)
    assert code == 0, errors
    assert result["offset_ms"] == pytest.approx(LATE_MS, abs=30)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"no video" * 99, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", b"\0\0\0\x18ftypmp42" + bytes(99)],
)
@pytest.mark.parametrize("command", [["sync"], ["smooth", "-o", "out.mp4"]])
def test_files_that_are_not_videos_are_refused(capsys, tmp_path, monkeypatch, content, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").write_bytes(content)
    assert cli.main([*command, "in.mp4"]) == 3
    assert capsys.readouterr().err.startswith("sonic: Choose a") and os.listdir(tmp_path) == ["in.mp4"]
