"""Lip-sync calibration on clips: what cannot be measured passes unchanged with a reason, the rest is shifted to the
sample."""

import itertools
import json
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands import cli
from sonic_nodes.commands.sync import read_features
from sonic_nodes.face_tracker import FaceTrack
from sonic_nodes.lipsync import estimate, fix, plot
from sonic_nodes.media.audio import Sound, read_sound_at, read_speech_at
from sonic_nodes.media.video_reader import timed_frames
from tests.lipsync import speaking

PORTRAIT = estimate.ASSETS / "sample" / "portrait.jpg"
SPEECH = estimate.ASSETS / "sample" / "speech.wav"


def track_of(values, fps=25.0, scene=None, checks=4, crowded=0):
    values = list(np.asarray(values, np.float32))
    faces = sum(bool(np.isfinite(v[0])) for v in values)
    return FaceTrack([i / fps for i in range(len(values))], values, scene or [0] * len(values), faces, checks, crowded)


def moving_mouth(frames=200, seed=0):
    """[frames, 111]: a random mouth, independent of any sound."""
    walk = np.random.default_rng(seed).normal(size=(frames, estimate.model()["basis"].shape[1]))
    return (0.02 * walk @ estimate.model()["basis"].T).astype(np.float32)


def noise(seconds=8.0, rate=16000, level=0.1):
    return Sound((level * np.random.default_rng(1).normal(size=(1, int(seconds * rate)))).astype(np.float32), rate)


@pytest.mark.parametrize(
    "track, sound, expected",
    [
        (track_of(moving_mouth(3)), noise(), "too short"),
        (track_of(moving_mouth(8), fps=1.0), noise(), "too few"),
        (track_of(np.full((200, 111), np.nan)), noise(), "no face"),
        (track_of(np.zeros((200, 111))), noise(), "does not move"),
        (track_of(moving_mouth()), noise(level=1e-6), "silent"),
        (track_of(moving_mouth()), noise(seconds=1.0), "too short"),
        (track_of(moving_mouth(), checks=8, crowded=6), noise(), "several faces"),
        (track_of(moving_mouth(), scene=[i // 20 for i in range(200)]), noise(), "long enough"),
    ],
)
def test_what_cannot_be_measured_is_reported_and_stays(track, sound, expected):
    found = estimate.estimate(track, sound)
    assert expected in found.reason
    assert (found.offset_ms, found.confidence) == (0.0, 0.0)
    assert fix.decide(found, 600)[0] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_mouth_independent_of_the_sound_has_no_confidence(seed):
    found = estimate.estimate(track_of(moving_mouth(400, seed)), noise(16.0))
    assert found.confidence < estimate.FIX_CONFIDENCE
    assert fix.decide(found, 600)[0] == 0.0


def confident(offset_ms, drift_ms=0.0):
    return estimate.Estimate(offset_ms, 0.99, "Measured.", drift_ms=drift_ms)


def test_what_fix_shifts_and_what_it_keeps():
    for offset_ms, delay_ms in ((160.0, -150.0), (-150.0, 160.0), (-80.0, 80.0), (115.0, -80.0)):
        assert fix.decide(confident(offset_ms), 200)[0] == delay_ms
    for found, expected in (
        (confident(20.0), "not noticed"),
        (confident(-44.0), "not noticed"),
        (confident(100.0), "not noticed"),
        (confident(250.0), "max_offset_ms"),
        (confident(160.0, drift_ms=300.0), "Measured"),
    ):
        delay_ms, message = fix.decide(found, 200)
        assert delay_ms == 0.0 and expected in message


@pytest.mark.parametrize("offset_ms", range(-600, 601, 5))
def test_fix_ends_within_what_is_not_noticed_and_shifts_natural_offsets_little(offset_ms):
    delay_ms, _ = fix.decide(confident(float(offset_ms)), 700)
    assert fix.EARLY_MS <= offset_ms + delay_ms <= fix.LATE_MS
    assert abs(delay_ms) <= 80 or not -90 <= offset_ms <= 120


def test_a_plot_shows_scores_and_curves_where_they_were_measured():
    measured = estimate.estimate(track_of(moving_mouth()), noise())
    assert measured.scores is not None
    blank = plot.plot(estimate.Estimate(0.0, 0.0, "Nothing."))
    assert plot.plot(measured).shape == blank.shape == (540, 960, 3)
    assert (plot.plot(measured) < 128).sum() > (blank < 128).sum() + 1000


def write_video(path, clip, sound=None, fps=25, first_frame=0, first_sample=0):
    """A video whose tracks start at the given frame and sample."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"bf": "2", "preset": "veryfast"})
        video.height, video.width, video.pix_fmt = *clip[0].shape[:2], "yuv420p"
        audio = container.add_stream("aac", rate=sound.rate, layout="mono") if sound else None
        for i, image in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i + first_frame, Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for at in range(0, sound.samples if sound else 0, 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound.waveform[:, at : at + 1024]), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.time_base, frame.pts = sound.rate, Fraction(1, sound.rate), at + first_sample
            container.mux(audio.encode(frame))
        if audio:
            container.mux(audio.encode(None))


def packets(path):
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(video=0) if p.dts is not None]


def tones(seconds=4.0, rate=44100):
    time = np.arange(int(seconds * rate)) / rate
    return Sound((0.3 * np.sin(2 * np.pi * (300 * time + 200 * time**2)))[None].astype(np.float32), rate)


def still(count, side=64):
    return [np.full((side, side, 3), 40 + i % 3, np.uint8) for i in range(count)]


@pytest.mark.parametrize("delay_ms", [150.0, -80.0])
@pytest.mark.parametrize("first_sample", [0, 4410])
def test_the_written_sound_is_shifted_to_the_sample_and_the_frames_stay(tmp_path, delay_ms, first_sample):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, still(100), tones(), first_sample=first_sample)
    sound, start_s = read_sound_at(source)
    silent = round(start_s * 44100)
    # MP4 declares the 1024 priming samples only for sound that starts at 0
    assert first_sample - 1100 <= silent <= first_sample
    fix.write_shifted(str(source), str(target), fix.shifted(sound, delay_ms), start_s)
    again, start_again_s = read_sound_at(target)
    assert packets(source) == packets(target)
    assert (again.samples, start_again_s) == (silent + sound.samples, 0.0)
    delay = round(delay_ms * 44.1)
    reference, got = sound.mono()[40000:100000], again.mono()[silent:]
    best = max(range(delay - 40, delay + 41), key=lambda lag: float(reference @ got[40000 + lag : 100000 + lag]))
    assert best == delay
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_frame_times_include_the_start_of_the_video_track(tmp_path):
    write_video(tmp_path / "a.mp4", still(50), tones(2.0), first_frame=5)
    times = [time for time, _ in timed_frames(tmp_path / "a.mp4")]
    _, start_s = read_sound_at(tmp_path / "a.mp4")
    assert times[0] - start_s == pytest.approx(0.2, abs=2e-3)


@pytest.mark.parametrize("with_sound", [True, False])
def test_the_command_copies_what_it_cannot_measure(tmp_path, capsys, with_sound):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, still(75), tones(3.0) if with_sound else None)
    assert cli.main(["sync", str(source), "--json", "--fix", str(target)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["confidence"] == 0.0 and result["moved_ms"] == 0.0 and "Nothing was measured" in result["reason"]
    assert target.read_bytes() == source.read_bytes()


def test_wrong_use_ends_with_an_exit_code_and_no_traceback(tmp_path, capsys):
    clip = tmp_path / "in.mp4"
    write_video(clip, still(10), tones(1.0))
    assert cli.main(["sync", str(tmp_path / "none.mp4")]) == 3
    assert cli.main(["sync", str(clip), "--max-offset-ms", "700"]) == 2
    assert cli.main(["sync", str(clip), "--fix", str(clip)]) == 6
    assert cli.main(["sync", str(SPEECH)]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_still_portrait_is_tracked_and_has_no_confidence():
    image = np.array(Image.open(PORTRAIT).convert("RGB").resize((384, 384)))
    tracker = estimate.mouth_tracker()
    for i in range(60):
        tracker.update(image, i / 25)
    assert tracker.track.faces == 60
    found = estimate.estimate(tracker.track, noise(2.4))
    assert found.confidence == 0.0 and "does not move" in found.reason


@pytest.mark.parametrize("shift_ms", [-330, -70, 0, 35, 150])
def test_a_clip_of_the_draft_engine_is_measured_at_every_shift(shift_ms):
    """Its offset is known exactly. Its mouth is synthetic: this tests the timing more than the model."""
    found = estimate.estimate(speaking.track(), fix.shifted(speaking.speech(), shift_ms))
    assert found.offset_ms == pytest.approx(shift_ms, abs=30)


def test_a_real_clip_has_a_small_offset(shared_dir):
    """Its first six seconds, at half size."""
    path = shared_dir / "talking" / "ls1.mp4"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    tracker = estimate.mouth_tracker()
    for time_s, frame in itertools.islice(timed_frames(path), 150):
        tracker.update(np.ascontiguousarray(frame[::2, ::2]), time_s)
    found = estimate.estimate(tracker.track, *read_features(str(path)))
    assert found.is_confident and abs(found.offset_ms) <= 80


@pytest.mark.parametrize(
    "rate, channels, seconds",
    [(44100, 2, 34.567), (16000, 1, 20.0), (8000, 1, 3.2), (48000, 1, 10.0), (22050, 1, 11.5)],
)
def test_speech_read_in_blocks_equals_the_whole_sound_resampled(tmp_path, rate, channels, seconds):
    samples = (np.random.default_rng(2).normal(size=(int(seconds * rate), channels)) * 4000).astype(np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    whole, _ = read_sound_at(tmp_path / "a.wav")
    speech, start_s = read_speech_at(tmp_path / "a.wav")
    expected = whole.mono_16k()
    assert (speech.rate, start_s, speech.samples) == (16000, 0.0, len(expected))
    assert np.abs(speech.waveform[0] - expected).max() < 1e-6
