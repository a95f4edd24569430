"""Speech -> mouth poses: the mouth follows the sound, rests in silence and shuts on p, b and m; only blinks and sway
depend on the seed."""

import json
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from sonic_nodes.extension.native import _sonic
from sonic_nodes.media.audio import read_sound
from sonic_nodes.progress import progress_callback

RATE, FPS = 16000, 25
OPENING, WIDTH, ROUNDING, PRESS, BLINK, SWAY_X, SWAY_Y, ROLL = range(8)
# 95th percentile of the distance of the inner lips in face heights, measured with the face mesh in videos of three
# people who talk (250, 502 and 200 frames)
REAL_SPEAKERS = (0.091, 0.122, 0.150)
PHONES = json.loads((Path(__file__).parent / "lips_phones.json").read_text())["files"]


def read_wav(path):
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE and file.getnchannels() == 1 and file.getsampwidth() == 2
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def envelope(sound, frames):
    """RMS per frame, smoothed by a Hann window over five frames."""
    padded = np.zeros(frames * RATE // FPS, np.float32)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    window = np.hanning(7)[1:-1]
    return np.convolve(np.sqrt((padded.reshape(frames, -1) ** 2).mean(1)), window / window.sum(), "same")


def poses_of(sound, seed=1, **settings):
    return _sonic.draft_poses(sound, round(FPS * len(sound) / RATE), seed, **settings)


def during(track, begin_s, end_s):
    """Values of the frames whose middles lie in a span, at least the nearest one."""
    first, last = int(np.ceil(begin_s * FPS - 0.5)), int(np.floor(end_s * FPS - 0.5))
    return track[max(first, 0) : last + 1] if last >= first else track[[int((begin_s + end_s) / 2 * FPS)]]


def touching(track, begin_s, end_s):
    """Values of the frames that show any part of a span."""
    return track[int(begin_s * FPS) : int(np.ceil(end_s * FPS))]


def at_lags(opening, loud, reach=3):
    n = len(opening)
    return [
        np.corrcoef(opening[reach + lag : n - reach + lag], loud[reach : n - reach])[0, 1]
        for lag in range(-reach, reach + 1)
    ]


@pytest.fixture(scope="module")
def speech(sample_dir):
    return read_wav(sample_dir / "speech.wav")


@pytest.fixture(scope="module")
def lips(sample_dir):
    return read_wav(sample_dir / "lips.wav")


@pytest.mark.parametrize("name", ["speech.wav", "lips.wav"])
def test_opening_follows_the_envelope_without_delay(sample_dir, name):
    sound = read_wav(sample_dir / name)
    opening = poses_of(sound)[:, OPENING]
    at_lag = at_lags(opening, envelope(sound, len(opening)))
    assert at_lag[3] >= 0.5  # an m is loud with closed lips
    assert np.argmax(at_lag) == 3


def test_opening_without_closures_is_nearly_the_envelope(speech):
    """Vowels alone: a tone of 700 Hz whose loudness goes up and down as syllables do."""
    t = np.arange(4 * RATE) / RATE
    sound = (0.3 * np.sin(2 * np.pi * 700 * t) * np.sin(2 * np.pi * 1.5 * t) ** 2).astype(np.float32)
    opening = poses_of(sound)[:, OPENING]
    at_lag = at_lags(opening, envelope(sound, len(opening)))
    assert at_lag[3] >= 0.95 and np.argmax(at_lag) == 3


def size_of_movement(sound):
    return np.percentile(poses_of(np.ascontiguousarray(sound, np.float32))[:, OPENING], 95)


def is_a_speaker_s(size):
    """Within the range of real speakers, widened by a quarter of it at both ends."""
    margin = (max(REAL_SPEAKERS) - min(REAL_SPEAKERS)) / 4
    return min(REAL_SPEAKERS) - margin <= size <= max(REAL_SPEAKERS) + margin


def test_size_of_the_movement_is_that_of_real_speakers(sample_dir):
    """Played slower and faster, the recordings are other voices: pitch, formants and rate change. The typical one moves
    as far as the two less lively of the real speakers."""
    sounds = [read_wav(sample_dir / name) for name in ("speech.wav", "lips.wav")]
    voices = [_sonic.resample(sound, round(RATE * speed), RATE) for sound in sounds for speed in (0.7, 1.0, 1.4)]
    sizes = [size_of_movement(sound) for sound in [*voices, *(sound[: len(sound) // 2] for sound in sounds)]]
    assert all(is_a_speaker_s(size) for size in sizes), sizes
    assert REAL_SPEAKERS[0] <= np.median(sizes) <= REAL_SPEAKERS[1], sizes


def test_size_of_the_movement_for_real_recordings(shared_dir):
    files = [path for path in (shared_dir / "talking").glob("*") if path.suffix in (".mp3", ".mp4", ".wav")]
    if not files:
        pytest.skip(f"{shared_dir / 'talking'} has no recordings")
    for path in files:
        sound = read_sound(path)
        mono = np.ascontiguousarray(np.atleast_2d(sound.waveform).mean(0), np.float32)
        assert is_a_speaker_s(size_of_movement(_sonic.resample(mono, sound.rate, RATE))), path.name


@pytest.mark.parametrize("name", ["speech.wav", "lips.wav"])
def test_lips_close_on_p_b_m_and_part_on_open_vowels(sample_dir, name):
    poses = poses_of(read_wav(sample_dir / name))
    opening, phones = poses[:, OPENING], PHONES[name]["phones"]
    loud = np.percentile(opening, 95)
    closed = [
        touching(opening, begin, end).min() <= 0.2 * loud for phone, begin, end in phones if phone in ("p", "b", "m")
    ]
    parted = [
        during(opening, begin, end).max() >= 0.2 * loud
        for phone, begin, end in phones
        if phone in ("aa", "ay", "ey", "ae", "ao")
    ]
    assert np.mean(closed) >= 0.9
    assert np.mean(parted) >= 0.9


def test_press_marks_the_closures_of_lips(lips):
    press, phones = poses_of(lips)[:, PRESS], PHONES["lips.wav"]["phones"]
    inside = np.mean([touching(press, b, e).max() for p, b, e in phones if p in "pbm"])
    vowels = np.mean([during(press, b + 0.02, e - 0.02).min() for p, b, e in phones if p[0] in "aeiou"])
    assert inside >= 0.6 and vowels <= 0.15


def test_pauses_end_exactly_at_rest(speech):
    """From 200 ms after the onset of a pause to 200 ms before its end the mouth is at rest."""
    sound = np.concatenate([speech, np.zeros(RATE, np.float32), speech])
    poses = poses_of(sound)
    begin, end = len(speech) / RATE + 0.2, len(speech) / RATE + 1 - 0.2
    assert not during(poses, begin, end)[:, :BLINK].any()


def test_quiet_background_keeps_the_mouth_closed(speech):
    noise = np.random.default_rng(3).normal(0, 0.002, len(speech) + RATE).astype(np.float32)
    sound = noise.copy()
    sound[: len(speech)] += speech
    opening = poses_of(sound)[:, OPENING]
    assert opening[-20:].max() <= 0.02 * np.percentile(opening, 95)


@pytest.mark.parametrize("gain", [0.01, 0.1, 4.0])
def test_level_of_the_recording_hardly_matters(speech, gain):
    ours, louder = poses_of(speech)[:, OPENING], poses_of(gain * speech)[:, OPENING]
    assert np.abs(ours - louder).max() <= 0.01 and np.corrcoef(ours, louder)[0, 1] >= 0.99


@pytest.mark.parametrize("ratio_db, least", [(30, 0.9), (20, 0.75), (10, 0.7), (5, 0.6)])
def test_steady_noise_hardly_matters(speech, ratio_db, least):
    noise = np.random.default_rng(4).normal(0, speech.std() * 10 ** (-ratio_db / 20), len(speech)).astype(np.float32)
    assert np.corrcoef(poses_of(speech)[:, OPENING], poses_of(speech + noise)[:, OPENING])[0, 1] >= least


def sounds_without_speech():
    t, noise = np.arange(5 * RATE) / RATE, np.random.default_rng(5).normal(0, 0.1, 5 * RATE)
    clicks = np.zeros(5 * RATE)
    clicks[4000::8000] = 1
    fade = np.minimum(1, 5 * t)
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330))
    return {
        "silence": 0 * t,
        "noise": noise,
        "offset": 0 * t + 0.3,
        "hum": 0.3 * fade * np.sin(2 * np.pi * 50 * t),
        "chord": 0.1 * fade * chord,
        "clicks": clicks,
        "one bit": np.sign(noise) / 32768,
    }


@pytest.mark.parametrize("name", sounds_without_speech())
def test_sounds_without_speech_do_not_move_the_mouth(name):
    poses = poses_of(sounds_without_speech()[name].astype(np.float32))
    assert np.isfinite(poses).all()
    assert poses[:, OPENING].max() <= 0.01 and poses[:, OPENING].mean() <= 0.002
    assert poses[25:, PRESS].max() <= 0.25


def test_digital_silence_without_sway_and_blinks_is_the_portrait():
    poses = poses_of(np.zeros(RATE, np.float32), sway=0, blink=0)
    assert poses.shape == (FPS, 8) and not poses.any()


def test_width_and_opening_are_not_redundant(sample_dir):
    for name in ("speech.wav", "lips.wav"):
        poses = poses_of(read_wav(sample_dir / name))
        assert abs(np.corrcoef(poses[:, OPENING], poses[:, WIDTH])[0, 1]) <= 0.8


def vowel(first_hz, second_hz, seconds=0.3, pitch_hz=120):
    """Two-formant vowel: harmonics under two resonances, with a raised-cosine envelope."""
    t = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros_like(t)
    for f in np.arange(pitch_hz, 4000, pitch_hz):
        gain = sum(level / (1 + ((f - centre) / 90) ** 2) for centre, level in ((first_hz, 1.0), (second_hz, 0.5)))
        sound += gain * np.sin(2 * np.pi * f * t)
    return (0.1 * sound * np.sin(np.pi * t / seconds) ** 2).astype(np.float32)


def test_vowels_have_their_mouth_shapes():
    """Formants of a man's ee, ah and oo (Peterson and Barney 1952, JASA 24: 175-184)."""
    pause = np.zeros(int(0.3 * RATE), np.float32)
    order = {"ee": (270, 2290), "ah": (730, 1090), "oo": (300, 870)}
    poses = poses_of(np.concatenate([x for f in order.values() for x in (pause, vowel(*f))] + [pause]), sway=0, blink=0)
    at = {name: poses[int((0.45 + 0.6 * i) * FPS)] for i, name in enumerate(order)}
    assert at["ah"][OPENING] > 1.3 * at["ee"][OPENING] and at["ah"][OPENING] > 1.3 * at["oo"][OPENING]
    assert at["ee"][WIDTH] > 0.03 > at["oo"][WIDTH]
    assert at["oo"][ROUNDING] > 0.2 and at["ee"][ROUNDING] < 0.05


@pytest.mark.parametrize("pitch_hz", [110, 160, 220])
@pytest.mark.parametrize("formants_hz", [(730, 1090), (530, 1840), (300, 870)])
def test_louder_syllables_open_wider_without_a_plateau(formants_hz, pitch_hz):
    """Syllables 3 dB apart, in mixed order: amplitudes differ by 1.41, so a mouth that follows the envelope opens wider
    with each step, up to the loudest; by less than proportion because a jaw's range ends."""
    pause, order = np.zeros(int(0.3 * RATE), np.float32), [3, 0, 5, 1, 4, 2]
    syllable = 0.3 * vowel(*formants_hz, pitch_hz=pitch_hz)
    pieces = [piece for step in order for piece in (pause, 10 ** (3 * step / 20) * syllable)]
    opening = poses_of(np.concatenate([*pieces, pause]).astype(np.float32), sway=0, blink=0)[:, OPENING]
    peaks = np.empty(len(order))
    for i, step in enumerate(order):
        peaks[step] = touching(opening, 0.3 + 0.6 * i, 0.6 + 0.6 * i).max()
    growth = peaks[1:] / peaks[:-1]
    assert (growth >= 1.1).all() and (growth <= 1.45).all(), growth


def test_every_number_stays_in_its_range(speech):
    for seed in range(20):
        poses = poses_of(speech, seed, opening=2, sway=1)
        assert poses.min(0)[OPENING] >= 0 and poses[:, OPENING].max() <= 0.2
        assert np.abs(poses[:, WIDTH]).max() <= 0.3
        assert poses[:, [ROUNDING, PRESS, BLINK]].min() >= 0 and poses[:, [ROUNDING, PRESS, BLINK]].max() <= 1
        assert np.abs(poses[:, [SWAY_X, SWAY_Y]]).max() <= 0.03 and np.abs(poses[:, ROLL]).max() <= 0.05


def test_opening_scales_the_mouth_alone(speech):
    one, two, none = poses_of(speech), poses_of(speech, opening=2), poses_of(speech, opening=0)
    small = two[:, OPENING] < 0.11  # wider openings are compressed towards 0.2
    np.testing.assert_allclose(two[small, OPENING], 2 * one[small, OPENING], rtol=1e-6)
    assert (two[:, OPENING] >= one[:, OPENING]).all()
    np.testing.assert_array_equal(two[:, WIDTH:], one[:, WIDTH:])
    assert not none[:, OPENING].any()


def test_seed_decides_blink_and_sway_but_not_the_mouth(speech):
    one, same, other = poses_of(speech, 5), poses_of(speech, 5), poses_of(speech, 2**64 - 6)
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(one[:, :BLINK], other[:, :BLINK])
    for column in (BLINK, SWAY_X, SWAY_Y, ROLL):
        assert np.abs(one[:, column] - other[:, column]).max() > 0.001


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
def test_blink_rate_and_length_are_natural(seed):
    minutes = 5
    blink = _sonic.draft_poses(np.zeros(0, np.float32), minutes * 60 * FPS, seed)[:, BLINK]
    starts = np.flatnonzero((blink[1:] > 0) & (blink[:-1] == 0))
    assert 10.5 <= len(starts) / minutes <= 32.5  # Doughty 2001, conversation
    assert blink.max() == 1.0
    lengths = [np.flatnonzero(blink[s + 1 :] == 0)[0] / FPS for s in starts[:-1]]
    assert 0.2 <= np.median(lengths) <= 0.4


def test_blink_setting_keeps_a_share_of_the_same_blinks():
    silence = np.zeros(0, np.float32)
    every, half, none = (_sonic.draft_poses(silence, 15000, 3, blink=share)[:, BLINK] for share in (1, 0.5, 0))
    assert not none.any()
    assert 0.3 <= (half == 1).sum() / (every == 1).sum() <= 0.7
    assert (half <= every).all()


def test_sway_starts_at_the_portrait_is_slow_and_in_proportion(speech):
    sound = np.tile(speech, 3)
    one, half, none = (poses_of(sound, 7, sway=amount)[:, SWAY_X:] for amount in (1, 0.5, 0))
    assert not one[0].any() and not none.any()
    np.testing.assert_allclose(half, 0.5 * one, atol=1e-6)
    assert np.abs(np.diff(one, axis=0)).max() <= 0.0025  # face heights, radians a frame
    assert one[:, 0].std() > 0.003


@pytest.mark.parametrize("frames", [0, 1, 50])
@pytest.mark.parametrize("samples", [0, 1, 79, 640, 5333])
def test_any_length_is_accepted(frames, samples, speech):
    poses = _sonic.draft_poses(speech[4000 : 4000 + samples], frames, 0)
    assert poses.shape == (frames, 8) and np.isfinite(poses).all()


def test_frames_past_the_sound_rest(speech):
    poses = _sonic.draft_poses(speech, 300, 1)
    assert not poses[245:, :BLINK].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_sound_that_is_not_finite_is_refused(speech, value):
    broken = speech.copy()
    broken[1234] = value
    with pytest.raises(ValueError, match="^Export the recording again: sample 1234"):
        poses_of(broken)


@pytest.mark.parametrize("settings", [{"opening": -0.1}, {"opening": np.nan}, {"sway": 5}, {"blink": 1.1}])
def test_settings_out_of_range_are_refused(speech, settings):
    with pytest.raises(ValueError, match="^Choose a"):
        poses_of(speech, **settings)


def test_wrong_arguments_are_refused(speech):
    with pytest.raises(ValueError, match="dimensions"):
        _sonic.draft_poses(speech.reshape(2, -1), 10, 1)
    with pytest.raises(ValueError, match="frames"):
        _sonic.draft_poses(speech, -1, 1)
    with pytest.raises(TypeError):
        _sonic.draft_poses(speech, 10, "seed")


def test_ten_minutes_take_seconds(speech):
    sound = np.tile(speech, 63)
    started = time.process_time()
    poses = poses_of(sound)
    assert time.process_time() - started < 30  # processor time; 0.4 s on an idle machine, more under sanitizers
    assert abs(np.percentile(poses[:, OPENING], 95) - np.percentile(poses_of(speech)[:, OPENING], 95)) < 0.01


class Stopped(Exception):
    pass


def test_cancel_at_every_report_ends_the_work():
    """A recording of 12 s reports twice in its bands and once or more in each of the seven steps after them."""
    sound = 0.1 * np.sin(np.arange(12 * RATE, dtype=np.float32))
    reports = []
    with progress_callback(lambda done, total, _: reports.append((done, total)), interval_ms=0):
        whole = poses_of(sound)
    assert len(reports) >= 9 and reports[:2] == [(0, 2400), (2000, 2400)]
    for last in range(1, len(reports) + 1):
        seen = []

        def stop(*report, seen=seen, last=last):
            seen.append(report)
            if len(seen) == last:
                raise Stopped

        with pytest.raises(Stopped), progress_callback(stop, interval_ms=0):
            poses_of(sound)
        assert len(seen) == last
    assert np.array_equal(poses_of(sound), whole)


def test_cancel_is_asked_for_often():
    """In an hour of sound, by this thread's processor time."""
    sound = np.resize(0.1 * np.sin(np.arange(RATE, dtype=np.float32)), 3600 * RATE)
    times = [time.thread_time()]
    with progress_callback(lambda *_: times.append(time.thread_time())):
        poses_of(sound)
    times.append(time.thread_time())
    assert len(times) > 100 and np.diff(times).max() < 0.25
