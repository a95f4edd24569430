"""Display matrices, the track that is heard, and what a rewritten video takes over."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.tracks import CarriedTracks, played_audio
from sonic_nodes.media.video_reader import orientation_from_matrix, timed_frames
from tests.media import clips

SIZE = 48, 32  # width, height
RED, GREEN, BLUE = (220, 30, 30), (30, 200, 40), (40, 40, 220)
# name: (a, b, c, d), and what ffmpeg and browsers show of rows [[RED, GREEN], [BLUE, BLUE]]
MATRICES = {
    "none": ((1, 0, 0, 1), [[RED, GREEN], [BLUE, BLUE]]),
    "90 clockwise": ((0, 1, -1, 0), [[BLUE, RED], [BLUE, GREEN]]),
    "180": ((-1, 0, 0, -1), [[BLUE, BLUE], [GREEN, RED]]),
    "90 counterclockwise": ((0, -1, 1, 0), [[GREEN, BLUE], [RED, BLUE]]),
    "mirrored": ((-1, 0, 0, 1), [[GREEN, RED], [BLUE, BLUE]]),
    "upside down": ((1, 0, 0, -1), [[BLUE, BLUE], [RED, GREEN]]),
    "transposed": ((0, 1, 1, 0), [[RED, BLUE], [GREEN, BLUE]]),
    "transposed and turned": ((0, -1, -1, 0), [[BLUE, GREEN], [BLUE, RED]]),
}


def picture():
    frame = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    frame[:16], frame[16:] = RED, BLUE
    frame[:16, 24:] = GREEN
    return frame


def write_video(path, aspect=None, frames=3, **options):
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "qp": "4"})
        video.width, video.height = SIZE
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        container.mux(video.encode(None))
    return path


def with_matrix(path, a, b, c, d):
    """ISO/IEC 14496-12, 8.3.2; the video track is the first. The offsets move the picture into view."""
    content, (width, height), one = bytearray(path.read_bytes()), SIZE, 1 << 16
    at = content.index(b"tkhd") + 44
    x, y = (width if a < 0 else 0) + (height if c < 0 else 0), (width if b < 0 else 0) + (height if d < 0 else 0)
    values = (a * one, b * one, 0, c * one, d * one, 0, x * one, y * one, 1 << 30)
    content[at : at + 36] = struct.pack(">9i", *(round(v) for v in values))
    path.write_bytes(content)
    return path


def corners(frame):
    """The nearest of the three colours in each quarter."""
    rows = [[frame[h // 4 :: h // 2][:2][i][w // 4 :: w // 2][:2] for i in (0, 1)] for h, w in [frame.shape[:2]]][0]
    colours = (RED, GREEN, BLUE)
    return [[min(colours, key=lambda c: np.abs(np.subtract(c, p.astype(int))).sum()) for p in row] for row in rows]


@pytest.mark.parametrize("name", MATRICES)
def test_every_matrix_is_applied(tmp_path, name):
    matrix, shown = MATRICES[name]
    path = with_matrix(write_video(tmp_path / "a.mp4"), *matrix)
    frames = [frame for _, frame in timed_frames(path)]
    assert len(frames) == 3 and frames[0].flags.c_contiguous
    assert frames[0].shape[:2] == (SIZE if matrix[0] == 0 else SIZE[::-1]) and corners(frames[0]) == shown


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("degrees", [-40, -3, 0, 2, 30])
@pytest.mark.parametrize("scale", [(1, 1), (4 / 3, 1), (0.01, 0.02)])
def test_a_slanted_matrix_is_taken_as_the_nearest(name, degrees, scale):
    matrix, _ = MATRICES[name]
    turn = np.radians(degrees)
    slanted = np.array(matrix).reshape(2, 2) @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    found = orientation_from_matrix(*(slanted * scale).ravel())
    nearest = orientation_from_matrix(*matrix)
    assert (found.swapped, found.columns_reversed, found.rows_reversed) == (
        nearest.swapped,
        nearest.columns_reversed,
        nearest.rows_reversed,
    )
    assert nearest.off_degrees == 0 and (scale != (1, 1) or found.off_degrees == pytest.approx(abs(degrees)))


def test_a_matrix_of_zeros_is_none():
    assert orientation_from_matrix(0, 0, 0, 0) == orientation_from_matrix(1, 0, 0, 1)


def test_the_orientation_in_the_stream_is_applied(tmp_path):
    """H.264's display orientation message, as some phones and screen recorders write it."""
    write_video(tmp_path / "a.ts", frames=40)
    with av.open(str(tmp_path / "a.ts")) as old, av.open(str(tmp_path / "b.ts"), "w") as new:
        (video,) = old.streams.video
        stream = new.add_stream_from_template(video)
        insert = "h264_metadata=display_orientation=insert:rotate=90"
        message = av.bitstream.BitStreamFilterContext(insert, in_stream=video)
        for packet in old.demux(video):
            for changed in message.filter(packet) if packet.size else ():
                changed.stream = stream
                new.mux(changed)
    with av.open(str(tmp_path / "b.ts")) as container:
        rotation = next(container.decode(video=0)).rotation
    (_, frame), *_ = timed_frames(tmp_path / "b.ts")
    assert rotation == 90 and corners(frame) == MATRICES["90 counterclockwise"][1]


def write_tracks(path, flags, rate=16000):
    """A sound of two tracks, of 300 and 600 Hz."""
    with av.open(str(path), "w") as container:
        tracks = [container.add_stream("aac" if path.suffix == ".mp4" else "libopus", rate=48000) for _ in flags]
        for track, flag in zip(tracks, flags, strict=True):
            track.codec_context.layout, track.disposition = "mono", flag
        for i, track in enumerate(tracks):
            frame = av.AudioFrame.from_ndarray(clips.tone(48000, 48000, 300 * (i + 1))[None], "fltp", "mono")
            frame.sample_rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), 0
            convert = av.AudioResampler(track.codec_context.format.name, "mono", 48000)
            for piece in [*convert.resample(frame), *convert.resample(None)]:
                container.mux(track.encode(piece))
            container.mux(track.encode(None))
    return path


DEFAULT, NONE = int(getattr(Disposition.default, "value", Disposition.default)), 0


@pytest.mark.parametrize(
    ("name", "flags", "heard"),
    [
        ("a.mkv", [NONE, DEFAULT], 2),
        ("a.mkv", [DEFAULT, NONE], 1),
        ("a.mkv", [NONE, NONE, NONE], 1),
        ("a.mkv", [NONE, DEFAULT, DEFAULT], 2),
        ("a.webm", [NONE, NONE, DEFAULT], 3),
        ("a.mp4", [NONE, DEFAULT], 2),
    ],
)
def test_the_default_track_is_heard_and_the_others_are_said(tmp_path, name, flags, heard):
    sound = read_sound(write_tracks(tmp_path / name, flags))
    spectrum = np.abs(np.fft.rfft(sound.waveform[0, 4000:44000]))
    assert np.argmax(spectrum) * 48000 / 40000 == pytest.approx(300 * heard, abs=3)
    (note,) = sound.notes
    assert f"{len(flags)} audio tracks: number {heard}" in note and f"{len(flags) - 1} not" in note


def test_one_track_needs_no_note(tmp_path):
    assert read_sound(write_tracks(tmp_path / "a.mkv", [NONE])).notes == ()


def test_tracks_that_mp4_lacks_are_counted(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = SIZE
        sounds = [container.add_stream(codec, rate=48000) for codec in ("pcm_s16le", "pcm_s16le", "libopus")]
        container.mux(video.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        container.mux(video.encode(None))
        for sound in sounds:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960 * 2), np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts = 48000, 0
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    with av.open(str(path)) as container:
        carried = CarriedTracks(container, container.streams.video[0], played_audio(container), Fraction(0))
        assert [s.codec_context.name for s in carried.streams] == ["opus"] and carried.copied == {"audio": 1}
    assert carried.lost("copy") == " Tracks that the copy does not have: 1 audio track."
