"""Lip-sync calibration on clips: what cannot be measured passes unchanged, in words; what can is moved to the
sample."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands import cli
from sonic_nodes.lipsync import estimate, fix, plot
from sonic_nodes.lipsync.track import Track
from sonic_nodes.media.audio import Sound, read_sound_at, read_speech_at

PORTRAIT = estimate.ASSETS / "sample" / "portrait.jpg"
SPEECH = estimate.ASSETS / "sample" / "speech.wav"


def track_of(values, fps=25.0, scene=None, checks=4, crowded=0):
    values = list(np.asarray(values, np.float32))
    seen = sum(bool(np.isfinite(v[0])) for v in values)
    return Track([i / fps for i in range(len(values))], values, scene or [0] * len(values), seen, checks, crowded)


def moving_mouth(frames=200, seed=0):
    """[frames, 111]: a wandering mouth that has nothing to do with any sound."""
    walk = np.random.default_rng(seed).normal(size=(frames, estimate.model()["basis"].shape[1]))
    return (0.02 * walk @ estimate.model()["basis"].T).astype(np.float32)


def noise(seconds=8.0, rate=16000, level=0.1):
    return Sound((level * np.random.default_rng(1).normal(size=(1, int(seconds * rate)))).astype(np.float32), rate)


@pytest.mark.parametrize(
    "track, sound, word",
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
def test_what_cannot_be_measured_is_said_and_stays(track, sound, word):
    found = estimate.estimate(track, sound)
    assert word in found.reason
    assert (found.offset_ms, found.confidence) == (0.0, 0.0)
    assert fix.decide(found, 600)[0] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_mouth_that_does_not_speak_the_sound_is_not_believed(seed):
    found = estimate.estimate(track_of(moving_mouth(400, seed)), noise(16.0))
    assert found.confidence < estimate.FIX_CONFIDENCE
    assert fix.decide(found, 600)[0] == 0.0


def sure(offset_ms, drift_ms=0.0):
    return estimate.Estimate(offset_ms, 0.99, "Measured.", drift_ms=drift_ms)


def test_what_fix_moves_and_what_it_leaves():
    for offset_ms, later_ms in ((160.0, -150.0), (-150.0, 160.0), (-80.0, 80.0), (115.0, -80.0)):
        assert fix.decide(sure(offset_ms), 200)[0] == later_ms
    for found, word in (
        (sure(20.0), "not noticed"),
        (sure(-44.0), "not noticed"),
        (sure(100.0), "not noticed"),
        (sure(250.0), "max_offset_ms"),
        (sure(160.0, drift_ms=300.0), "Measured"),
    ):
        later_ms, said = fix.decide(found, 200)
        assert later_ms == 0.0 and word in said


@pytest.mark.parametrize("offset_ms", range(-600, 601, 5))
def test_what_fix_moves_ends_where_it_is_not_noticed_and_clips_are_not_moved_far_for_what_may_be_their_own(offset_ms):
    later_ms, _ = fix.decide(sure(float(offset_ms)), 700)
    assert fix.EARLY_MS <= offset_ms + later_ms <= fix.LATE_MS
    assert abs(later_ms) <= 80 or not -90 <= offset_ms <= 120


def test_a_plot_shows_what_was_measured_and_what_was_not():
    measured = estimate.estimate(track_of(moving_mouth()), noise())
    assert measured.scores is not None
    blank = plot.plot(estimate.Estimate(0.0, 0.0, "Nothing."))
    assert plot.plot(measured).shape == blank.shape == (540, 960, 3)
    assert (plot.plot(measured) < 128).sum() > (blank < 128).sum() + 1000


def write_video(path, pictures, sound=None, fps=25, first_picture=0, first_sample=0):
    """MP4 whose pictures and sound begin at the given frame and sample."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"bf": "2"})
        video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        audio = container.add_stream("aac", rate=sound.rate, layout="mono") if sound else None
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i + first_picture, Fraction(1, fps)
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


@pytest.mark.parametrize("later_ms", [150.0, -80.0])
@pytest.mark.parametrize("first_sample", [0, 4410])
def test_the_written_sound_is_moved_to_the_sample_and_the_pictures_are_the_same(tmp_path, later_ms, first_sample):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, still(100), tones(), first_sample=first_sample)
    sound, start_s = read_sound_at(source)
    waiting = round(start_s * 44100)
    # a file that begins late does not say that 1024 samples are the encoder's
    assert first_sample - 1100 <= waiting <= first_sample
    fix.write_moved(str(source), str(target), fix.moved(sound, later_ms), start_s)
    again, start_again_s = read_sound_at(target)
    assert packets(source) == packets(target)
    assert (again.samples, start_again_s) == (waiting + sound.samples, 0.0)
    later = round(later_ms * 44.1)
    reference, got = sound.mono()[40000:100000], again.mono()[waiting:]
    best = max(range(later - 40, later + 41), key=lambda lag: float(reference @ got[40000 + lag : 100000 + lag]))
    assert best == later
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_times_follow_the_file_when_the_sound_begins_later_or_earlier(tmp_path):
    write_video(tmp_path / "a.mp4", still(50), tones(2.0), first_picture=5)
    from sonic_nodes.lipsync.video import pictures

    times = [time for time, _ in pictures(tmp_path / "a.mp4")]
    _, start_s = read_sound_at(tmp_path / "a.mp4")
    assert times[0] - start_s == pytest.approx(0.2, abs=2e-3)


@pytest.mark.parametrize("with_sound", [True, False])
def test_the_command_copies_what_it_cannot_measure(tmp_path, capsys, with_sound):
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, still(75), tones(3.0) if with_sound else None)
    assert cli.main(["sync", str(source), "--json", "--fix", str(target)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["confidence"] == 0.0 and told["moved_ms"] == 0.0 and "Nothing was measured" in told["reason"]
    assert target.read_bytes() == source.read_bytes()


def test_wrong_use_ends_in_a_sentence(tmp_path, capsys):
    clip = tmp_path / "in.mp4"
    write_video(clip, still(10), tones(1.0))
    assert cli.main(["sync", str(tmp_path / "none.mp4")]) == 3
    assert cli.main(["sync", str(clip), "--max-offset-ms", "700"]) == 2
    assert cli.main(["sync", str(clip), "--fix", str(clip)]) == 6
    assert cli.main(["sync", str(SPEECH)]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_still_portrait_is_seen_and_not_believed():
    picture = np.array(Image.open(PORTRAIT).convert("RGB").resize((384, 384)))
    eyes = estimate.follower()
    for i in range(60):
        eyes.see(picture, i / 25)
    assert eyes.track.seen == 60
    found = estimate.estimate(eyes.track, noise(2.4))
    assert found.confidence == 0.0 and "does not move" in found.reason


def test_a_clip_of_the_draft_engine_is_found_at_every_shift(tmp_path):
    """The truth is exact here; the mouth is our own, so this says that the clock is right, and little about people."""
    from sonic_nodes import pipeline
    from sonic_nodes.engines.draft import DraftEngine
    from sonic_nodes.media.audio import read_sound
    from sonic_nodes.media.image import read_picture

    sound = read_sound(SPEECH)
    data, engine, eyes, count = (
        pipeline.prepare(read_picture(PORTRAIT), sound, min_resolution=256),
        DraftEngine(),
        estimate.follower(),
        0,
    )
    for chunk in engine.decode(engine.infer(data, 1), data):
        for frame in chunk:
            eyes.see(frame, count / 25)
            count += 1
    for shift in (-330, -70, 0, 35, 150):
        assert estimate.estimate(eyes.track, fix.moved(sound, shift)).offset_ms == pytest.approx(shift, abs=30)


def test_a_real_clip_is_found_at_every_shift(shared_dir):
    path = shared_dir / "talking" / "ls1.mp4"
    if not path.exists():
        pytest.skip("ls1.mp4 is not at hand")
    from sonic_nodes.commands.sync import measure

    assert abs(measure(str(path)).offset_ms) <= 80


@pytest.mark.parametrize(
    "rate, channels, seconds",
    [(44100, 2, 34.567), (16000, 1, 20.0), (8000, 1, 3.2), (48000, 1, 10.0), (22050, 1, 11.5)],
)
def test_speech_read_piece_by_piece_is_the_whole_sound_resampled(tmp_path, rate, channels, seconds):
    import wave

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
