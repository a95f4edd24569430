"""What `sonic smooth` and `sonic sync --fix` keep of a file: orientation, shape of the pixels, tracks, chapters."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from sonic_nodes.commands import cli
from sonic_nodes.errors import InputError
from sonic_nodes.lipsync import fix
from sonic_nodes.media.audio import Sound, read_sound_at
from sonic_nodes.media.video_reader import orientation, to_rgb
from sonic_nodes.smooth.file import smooth_file
from tests.media import clips
from tests.media.test_tracks import MATRICES, SIZE, corners, picture, with_matrix, write_video

RATE = 48000


def written(path, target, how):
    """The sentence about what `how` wrote from `path`: every frame is written again, or copied beside a new sound."""
    if how == "smooth":
        return smooth_file(str(path), str(target), strength=0, lossless=True)["reason"]
    sound, start_s = read_sound_at(path)
    return fix.write_shifted(str(path), str(target), sound, start_s)


def write_extras(path, sounds=("aac", "aac"), aspect=None, subtitles=True, video="libx264"):
    """A video with several sounds (the second French), two subtitles, two chapters and a title."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video, rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        tracks = [container.add_stream(codec, rate=RATE) for codec in sounds]
        if len(tracks) > 1:
            tracks[1].metadata["language"] = "fra"
        texts = container.add_mux_stream("mov_text", time_base=Fraction(1, 1000)) if subtitles else None
        if subtitles:
            texts.metadata["language"] = "deu"
            container.set_chapters(
                [
                    {
                        "id": i,
                        "start": 100 * i,
                        "end": 100 * i + 100,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": t},
                    }
                    for i, t in enumerate(("One", "Two"))
                ]
            )
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(picture(), format="rgb24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for i, track in enumerate(tracks):
            frame = av.AudioFrame.from_ndarray(
                np.tile(clips.tone(RATE // 2, RATE, 300 * (i + 1)), (2, 1)), "fltp", "stereo"
            )
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
            convert = av.AudioResampler(track.codec_context.format.name, "stereo", RATE)
            for piece in [*convert.resample(frame), *convert.resample(None)]:
                container.mux(track.encode(piece))
            container.mux(track.encode(None))
        for at, text in ((0, b"Hello"), (200, b"you")) if subtitles else ():
            packet = av.Packet(len(text).to_bytes(2, "big") + text)
            packet.pts = packet.dts = at
            packet.duration, packet.time_base, packet.stream = 150, Fraction(1, 1000), texts
            container.mux(packet)
    return path


needs_chapters = pytest.mark.skipif(
    not hasattr(av.container.OutputContainer, "add_mux_stream"), reason="PyAV before 17 writes no subtitles"
)


@needs_chapters
@pytest.mark.parametrize("how", ["smooth", "fix"])
def test_tracks_and_chapters_are_kept(tmp_path, how):
    source, target = write_extras(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    reason = written(source, target, how)
    assert "does not have" not in reason
    with av.open(str(target)) as container:
        kinds = [(s.type, s.codec_context.name) for s in container.streams if s.codec_context]
        assert kinds == [("video", "h264"), ("audio", "aac"), ("audio", "aac"), ("subtitle", "mov_text")]
        assert [s.metadata.get("language") for s in container.streams][2:4] == ["fra", "deu"]
        assert [(c["metadata"]["title"], 10 * c["start"] * c["time_base"]) for c in container.chapters()] == [
            ("One", 0),
            ("Two", 1),
        ]
        texts = [bytes(p)[2:7] for p in container.demux(subtitles=0) if p.size > 2]
    assert texts == [b"Hello", b"you"]
    assert ("copied without a shift: 1" in reason) == (how == "fix")


@pytest.mark.parametrize("how", ["smooth", "fix"])
def test_what_mp4_lacks_is_named(tmp_path, how):
    source = write_extras(tmp_path / "a.mkv", ("pcm_s16le", "flac", "pcm_s24le"), subtitles=False)
    reason = written(source, tmp_path / "out.mp4", how)
    assert "does not have: 1 audio track." in reason
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [s.codec_context.name for s in container.streams.audio] == ["aac", "flac"]


@pytest.mark.parametrize("how", ["smooth", "fix"])
@pytest.mark.parametrize(
    ("name", "video"),
    [("a.mp4", "libx264"), ("a.mov", "mpeg4"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "libx264")],
)
def test_the_shape_of_pixels_is_kept(tmp_path, how, name, video):
    source = write_extras(
        tmp_path / name, ("mp2",) if name[-2:] in ("vi", "ts") else ("aac",), Fraction(16, 15), False, video
    )
    written(source, tmp_path / "out.mp4", how)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 15)


@pytest.mark.parametrize("name", MATRICES)
def test_smoothed_frames_are_upright(tmp_path, name):
    matrix, shown = MATRICES[name]
    source = with_matrix(write_video(tmp_path / "a.mp4", aspect=Fraction(4, 3)), *matrix)
    written(source, tmp_path / "out.mp4", "smooth")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert corners(frame.to_ndarray(format="rgb24")) == shown and frame.rotation == 0
        aspect = container.streams.video[0].sample_aspect_ratio
    assert aspect == (Fraction(3, 4) if matrix[0] == 0 else Fraction(4, 3))


def test_a_fixed_copy_keeps_the_matrix(tmp_path):
    for name, (matrix, shown) in MATRICES.items():
        source = with_matrix(write_extras(tmp_path / "a.mp4", subtitles=False), *matrix)
        written(source, tmp_path / "out.mp4", "fix")
        with av.open(str(tmp_path / "out.mp4")) as container:
            frame = next(container.decode(video=0))
            assert corners(to_rgb(frame, "out.mp4", orientation(frame))) == shown, name


def test_a_slant_is_said(tmp_path):
    source = with_matrix(write_video(tmp_path / "a.mp4"), 0.87, 0.5, -0.5, 0.87)
    assert "slant of 30 degrees" in written(source, tmp_path / "out.mp4", "smooth")
    source = with_matrix(write_video(tmp_path / "a.mp4"), 0, 1, -1, 0)
    assert "slant" not in written(source, tmp_path / "out.mp4", "smooth")


def test_more_channels_than_mp4_keeps_are_mixed_and_said(tmp_path):
    """PCM of seven channels is decoded by `smooth`: the voice keeps its loudness within 4 dB."""
    path, rate = tmp_path / "a.mkv", RATE
    wave = np.zeros((7, rate // 2), np.float32)
    wave[2] = clips.tone(rate // 2, rate)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = SIZE
        sound = container.add_stream("pcm_f32le", rate=rate)
        sound.codec_context.layout = "6.1"
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(picture(), format="rgb24")
            frame.pts = i
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(wave.T.reshape(1, -1).copy(), "flt", "6.1")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    reason = written(path, tmp_path / "out.mp4", "smooth")
    sound, _ = read_sound_at(tmp_path / "out.mp4")
    assert "7 channels were mixed" in reason and len(sound.waveform) == 2
    power = (sound.waveform.astype(float) ** 2).mean(1).sum() / (wave.astype(float) ** 2).mean(1).sum()
    assert abs(10 * np.log10(power)) < 4


def test_a_late_sound_is_refused_before_silence_is_made(tmp_path):
    source = write_extras(tmp_path / "a.mp4", subtitles=False)
    with pytest.raises(InputError, match="^Export the video again"):
        fix.write_shifted(str(source), str(tmp_path / "out.mp4"), Sound(np.zeros((2, 4800), np.float32), RATE), 2.0**31)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_the_notes_of_sync_are_on_stderr_and_in_json(tmp_path, capsys):
    source = write_extras(tmp_path / "a.mkv", ("flac", "flac"), subtitles=False)
    assert cli.main(["sync", str(source), "--json"]) == 0
    printed = capsys.readouterr()
    notes = json.loads(printed.out)["notes"]
    assert any("2 audio tracks" in note for note in notes) and all(note in printed.err for note in notes)


@pytest.mark.parametrize("codec", ["aac", "libmp3lame"])
def test_copied_sound_that_changes_its_format_is_refused(tmp_path, codec):
    """Two broadcasts one behind the other: MP4 would declare the format of the first for both."""
    content = b""
    for rate, layout in ((48000, "stereo"), (44100, "mono")):
        with av.open(str(tmp_path / "part.ts"), "w") as container:
            video, sound = container.add_stream("libx264", rate=25), container.add_stream(codec, rate=rate)
            video.width, video.height = SIZE
            sound.codec_context.layout = layout
            for i in range(25):
                frame = av.VideoFrame.from_ndarray(picture(), format="rgb24")
                frame.pts = i
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            tone = np.tile(clips.tone(rate, rate), (2 if layout == "stereo" else 1, 1))
            frame = av.AudioFrame.from_ndarray(tone, "fltp", layout)
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            convert = av.AudioResampler(sound.codec_context.format.name, layout, rate, 1024 if codec == "aac" else 1152)
            for piece in [*convert.resample(frame), *convert.resample(None)]:
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
        content += (tmp_path / "part.ts").read_bytes()
    (tmp_path / "joined.ts").write_bytes(content)
    written(tmp_path / "part.ts", tmp_path / "out.mp4", "smooth")
    with pytest.raises(InputError, match="^Convert the video to MP4 first"):
        written(tmp_path / "joined.ts", tmp_path / "other.mp4", "smooth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["joined.ts", "out.mp4", "part.ts"]
