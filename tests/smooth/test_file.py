"""`sonic smooth` on video files: sound, times, sizes and faulty input."""

import contextlib
import io
import json
import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from sonic_nodes.commands.cli import main
from sonic_nodes.extension.loading import PACK
from sonic_nodes.media.audio import read_sound_at
from sonic_nodes.media.provenance import xmp_packet
from sonic_nodes.media.video_writer import VideoWriter
from tests.media.clips import write_sound
from tests.provenance.marked_clip import marked_tags, tags_in
from tests.smooth.test_smooth import clip

FAULTS = {"shake": 0.5, "flicker": 0.015, "noise": 2.0}


def write_clip(path, frames, times=None, time_base=None, fps=25, lossless=True):
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, fps, None, lossless, time_base=time_base) as writer:
        for i, frame in enumerate(frames):
            writer.write(frame, None if times is None else times[i])
    return path


def read_clip(path):
    """(frames, their times in seconds)"""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
        return [f.to_ndarray(format="rgb24") for f in frames], [f.pts * f.time_base for f in frames]


def run(capsys, *arguments):
    """(exit code, the printed JSON, stderr)"""
    code = main(["smooth", *map(str, arguments), "--json"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else None, printed.err


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Never written to."""
    return write_clip(tmp_path_factory.mktemp("clips") / "faulty.mp4", clip(np.random.default_rng(1), **FAULTS))


def test_the_marks_stay(capsys, tmp_path):
    """AIGC tag and XMP packet, in a clip that is corrected."""
    images = clip(np.random.default_rng(1), **FAULTS)
    height, width = images[0].shape[:2]
    with VideoWriter(tmp_path / "a.mp4", width, height, metadata=marked_tags(), packet=b"<x/>") as writer:
        writer.write(np.stack(images))
    assert run(capsys, tmp_path / "a.mp4", "-o", tmp_path / "out.mp4")[1]["changed"]
    assert tags_in(tmp_path / "out.mp4")["AIGC"] == marked_tags()["AIGC"]
    with open(tmp_path / "out.mp4", "rb") as file:
        assert xmp_packet(file) == b"<x/>"


def test_the_file_holds_the_smoothed_frames(capsys, tmp_path, faulty):
    code, result, _ = run(capsys, faulty, "-o", tmp_path / "out.mp4", "--lossless")
    assert code == 0 and result["changed"] and result["frames"] == 40
    before, after = read_clip(faulty), read_clip(tmp_path / "out.mp4")
    assert after[1] == before[1]
    assert np.mean(np.square(np.diff(np.float32(after[0]), axis=0))) < 0.3 * np.mean(
        np.square(np.diff(np.float32(before[0]), axis=0))
    )


def test_strength_0_keeps_every_frame(capsys, tmp_path, faulty):
    _, result, _ = run(capsys, faulty, "-o", tmp_path / "out.mp4", "--lossless", "--strength", "0")
    assert not result["changed"] and "strength is 0" in result["reason"]
    assert np.array_equal(read_clip(faulty)[0], read_clip(tmp_path / "out.mp4")[0])


def test_a_clean_clip_is_copied_byte_for_byte(capsys, tmp_path):
    source = write_clip(tmp_path / "clean.mp4", clip(np.random.default_rng(2)), lossless=False)
    code, result, errors = run(capsys, source, "-o", tmp_path / "out.mp4")
    assert code == 0 and not result["changed"] and "Nothing was changed" in errors
    assert (tmp_path / "out.mp4").read_bytes() == source.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_times_of_a_variable_frame_rate_are_kept(capsys, tmp_path):
    times = list(np.cumsum(np.random.default_rng(3).integers(20, 90, 40)))
    source = write_clip(
        tmp_path / "vfr.mp4", clip(np.random.default_rng(4), **FAULTS), [int(t) for t in times], Fraction(1, 1000)
    )
    assert run(capsys, source, "-o", tmp_path / "out.mp4", "--lossless")[0] == 0
    assert read_clip(tmp_path / "out.mp4")[1] == read_clip(source)[1]


@pytest.mark.parametrize(("codec", "name"), [("aac", "a.mp4"), ("pcm_s16le", "a.mkv")])
def test_the_sound_is_copied_or_converted(capsys, tmp_path, codec, name):
    tone = np.sin(np.arange(48000, dtype=np.float32) / 20)[None] * np.float32(0.3)
    write_sound(tmp_path / name, tone, 48000, codec, pictures=25)
    code, result, _ = run(capsys, tmp_path / name, "-o", tmp_path / "out.mp4", "--lossless")
    assert code == 0 and result["frames"] == 25
    packets = []
    for path in (tmp_path / name, tmp_path / "out.mp4"):
        with av.open(str(path)) as container:
            packets.append(
                [(p.pts * p.time_base, bytes(p)) for p in container.demux(container.streams.audio[0]) if p.size]
            )
    assert packets[0] == packets[1] if codec == "aac" else abs(float(packets[1][-1][0]) - 1.0) < 0.1


def write_started(path, start_s, codec, tracks=1, colours=None):
    """Faulty frames and a sound with a click 0.4 s after the first, both from `start_s` on."""
    rate, click = 48000, np.zeros((2, 48000), np.float32)
    click[:, 19200:19300] = 0.9
    with av.open(str(path), "w") as container:
        video, sounds = (
            container.add_stream("libx264", rate=25),
            [container.add_stream(codec, rate=rate) for _ in range(tracks)],
        )
        video.width = video.height = 192
        for sound in sounds:
            sound.codec_context.layout = "stereo"
        if colours:
            video.codec_context.color_primaries, video.codec_context.color_trc = colours
        for i, image in enumerate(clip(np.random.default_rng(9), **FAULTS)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i + 25 * start_s, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in sounds:
            frame = av.AudioFrame.from_ndarray(click, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            convert = av.AudioResampler(
                sound.codec_context.format.name, "stereo", rate, 1152 if codec == "mp2" else 1024
            )
            for piece in [*convert.resample(frame), *convert.resample(None)]:
                piece.pts += start_s * rate
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def click_after_first_frame(path):
    """In seconds."""
    with av.open(str(path)) as container:
        first = next(container.decode(container.streams.video[0])).time
    sound, start_s = read_sound_at(path)
    return start_s + np.flatnonzero(np.abs(sound.mono()) > 0.4)[0] / sound.rate - first


@pytest.mark.parametrize(
    ("name", "codec"), [("a.ts", "mp2"), ("a.mkv", "pcm_s16le"), ("a.mkv", "aac"), ("a.mpg", "mp2")]
)
@pytest.mark.parametrize("start_s", [0, 40000])
def test_frames_and_sound_stay_in_sync_wherever_the_clock_starts(capsys, tmp_path, name, codec, start_s):
    source = write_started(tmp_path / name, start_s, codec)
    code, result, errors = run(capsys, source, "-o", tmp_path / "out.mp4")
    assert code == 0 and result["changed"], errors
    assert click_after_first_frame(tmp_path / "out.mp4") == pytest.approx(click_after_first_frame(source), abs=0.003)
    assert read_clip(tmp_path / "out.mp4")[1][0] <= 1


def test_dropped_audio_tracks_are_reported_and_colours_are_kept(capsys, tmp_path):
    source = write_started(tmp_path / "two.mkv", 0, "pcm_s16le", tracks=2, colours=(9, 16))
    _, result, _ = run(capsys, source, "-o", tmp_path / "out.mp4")
    assert result["changed"] and "Tracks that the output does not have: 1 audio track." in result["reason"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (9, 16)


def test_frames_that_the_decoder_returns_at_the_end_are_kept(capsys, tmp_path):
    """With B-frames the decoder holds back all three."""
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 192
        for image in clip(np.random.default_rng(5))[:3]:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
    code, result, _ = run(capsys, tmp_path / "in.mp4", "-o", tmp_path / "out.mp4", "--lossless")
    assert code == 0 and result["frames"] == 3
    assert np.array_equal(read_clip(tmp_path / "out.mp4")[0], read_clip(tmp_path / "in.mp4")[0])


@pytest.mark.parametrize(("count", "fps"), [(3, 25), (30, 1), (30, 240)])
def test_few_frames_and_any_rate(capsys, tmp_path, count, fps):
    source = write_clip(tmp_path / "in.mp4", clip(np.random.default_rng(5), noise=2)[:count], fps=fps)
    code, result, _ = run(capsys, source, "-o", tmp_path / "out.mp4", "--lossless")
    assert code == 0 and result["frames"] == count
    assert read_clip(tmp_path / "out.mp4")[1] == read_clip(source)[1]


@pytest.mark.parametrize("fps", [1, 7.5])
def test_low_frame_rates_are_left_alone(capsys, tmp_path, fps):
    source = write_clip(tmp_path / "in.mp4", clip(np.random.default_rng(1), **FAULTS), fps=Fraction(fps))
    code, result, _ = run(capsys, source, "-o", tmp_path / "out.mp4")
    assert code == 0 and not result["changed"] and f"{fps:g} frames per second are too few" in result["reason"]
    assert (tmp_path / "out.mp4").read_bytes() == source.read_bytes()


def test_odd_sides_and_black_frames(capsys, tmp_path):
    frames = [frame[:101, :99].copy() for frame in clip(np.random.default_rng(6), **FAULTS)]
    frames[10:20] = [np.zeros_like(frames[0])] * 10
    source = write_clip(tmp_path / "in.mp4", frames)
    assert run(capsys, source, "-o", tmp_path / "out.mp4", "--lossless")[0] == 0
    out = read_clip(tmp_path / "out.mp4")[0]
    assert np.array_equal(out[10:20], frames[10:20])
    assert [f.shape for f in out] == [(101, 99, 3)] * 40


@pytest.mark.parametrize(
    ("content", "remedy"),
    [(None, "Check the file's name"), (b"", "Choose a video file"), (b"no video" * 99, "Choose a video file")],
)
def test_files_that_are_not_videos_are_refused(capsys, tmp_path, content, remedy):
    path = tmp_path / "in.mp4"
    if content is not None:
        path.write_bytes(content)
    code, _, errors = run(capsys, path, "-o", tmp_path / "out.mp4")
    assert code == 3 and errors.startswith(f"sonic: {remedy}")
    assert not (tmp_path / "out.mp4").exists()


def test_sound_alone_is_refused(capsys, tmp_path, sample_dir):
    code, _, errors = run(capsys, sample_dir / "speech.wav", "-o", tmp_path / "out.mp4")
    assert code == 3 and errors.startswith("sonic: Choose a video: ")


def test_a_truncated_file_is_smoothed_up_to_its_end(capsys, tmp_path, faulty):
    whole = faulty.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    code, result, _ = run(capsys, tmp_path / "cut.mp4", "-o", tmp_path / "out.mp4", "--lossless")
    assert code == 0 and 5 < result["frames"] < 40


@pytest.mark.parametrize("arguments", [["--strength", "1.5"], ["--strength", "nan"]])
def test_wrong_options_are_refused(capsys, tmp_path, faulty, arguments):
    assert run(capsys, faulty, "-o", tmp_path / "out.mp4", *arguments)[0] == 2


def test_the_input_is_not_overwritten(capsys, faulty):
    before = faulty.read_bytes()
    code, _, errors = run(capsys, faulty, "-o", faulty)
    assert code == 2 and errors.startswith("sonic: Choose another --output")
    assert faulty.read_bytes() == before


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_file_name_that_cannot_be_printed_is_written(tmp_path, encoding):
    source = write_clip(tmp_path / "in.mp4", clip(np.random.default_rng(5))[:3])
    printed = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    out = tmp_path / (os.fsdecode("ü".encode() + b"\xff.mp4") if os.name == "posix" else "ü\N{GRINNING FACE}.mp4")
    with contextlib.redirect_stdout(printed):
        assert main(["smooth", str(source), "-o", str(out)]) == 0
        printed.flush()
    assert out.exists() and b".mp4" in printed.buffer.getvalue()


@pytest.mark.resident_memory
def test_memory_does_not_grow_with_the_clip(tmp_path):
    """400 more frames would take 44 MB if they were kept, and more as floats. The peak is that of a separate process,
    which smooths the short clip twice before the long one: a second run may take a little more than a first."""
    frames = clip(np.random.default_rng(8), **FAULTS)
    sources = [write_clip(tmp_path / f"{repeats}.mp4", frames * repeats) for repeats in (2, 12)]
    code = (
        "import sys\nfrom sonic_nodes.commands.cli import main\nfrom tests.oracles.system import peak_memory\n"
        "for source in sys.argv[2:]:\n"
        "    assert main(['smooth', source, '-o', sys.argv[1]]) == 0\n"
        "    print(peak_memory())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out.mp4"), str(sources[0]), *map(str, sources)]
    done = subprocess.run(command, cwd=PACK, capture_output=True, text=True, check=True)
    _, short, long = (int(line) for line in done.stdout.split() if line.isdigit())
    assert long - short < 20e6, (short, long)
