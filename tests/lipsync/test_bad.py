"""Lip-sync calibration on what it should leave alone, and on clips that are odd but can be measured."""

import numpy as np
import pytest

from sonic_nodes.lipsync import estimate, fix
from sonic_nodes.lipsync.track import Track
from sonic_nodes.media.audio import Sound
from tests.lipsync.speaking import frames, seen, speech, track, turned, with_samples

LATE_MS = 200.0  # every sound here is late enough to be moved, were it believed


def late(sound):
    return fix.moved(sound, LATE_MS)


def assert_left_alone(found):
    assert found.confidence < estimate.FIX_CONFIDENCE
    assert fix.decide(found, 600)[0] == 0.0
    assert found.reason.startswith(("Nothing was measured: ", "Not sure: "))


def assert_measured(found, offset_ms=LATE_MS, within_ms=25.0):
    assert found.is_sure, found.reason
    assert found.offset_ms == pytest.approx(offset_ms, abs=within_ms)
    assert fix.decide(found, 700)[0] == pytest.approx(fix.TARGET_MS - found.offset_ms)


def test_the_clip_of_these_tests_is_measured():
    assert_measured(estimate.estimate(track(), late(speech())))


def music():
    time = np.arange(speech().samples) / speech().rate
    chord = sum(np.sin(2 * np.pi * f * time) for f in (220, 277.2, 329.6, 440))
    return with_samples(0.1 * chord * np.exp(-6 * (time % 0.5)))


def hum():
    return with_samples(0.2 * np.sin(2 * np.pi * 100 * np.arange(speech().samples) / speech().rate))


FOREIGN = {
    "silence": lambda: with_samples(np.zeros(speech().samples)),
    "music": music,
    "hum": hum,
    "noise": lambda: with_samples(np.random.default_rng(3).normal(size=speech().samples) * 0.1),
    "other words": lambda: with_samples(np.roll(speech().mono(), speech().samples // 2)),
    "speech backwards": lambda: with_samples(speech().mono()[::-1]),
    "under a second": lambda: with_samples(speech().mono()[: speech().rate // 2]),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_sound_that_the_mouth_does_not_speak_is_left_alone(name):
    assert_left_alone(estimate.estimate(track(), FOREIGN[name]()))


def covered(picture):
    picture = picture.copy()
    picture[picture.shape[0] * 11 // 20 :] = 90
    return picture


UNSEEN = {
    "black frames": lambda: np.zeros_like(frames()[:100]),
    "no face": lambda: np.random.default_rng(4).integers(0, 255, (75, 128, 160, 3), np.uint8),
    "a still picture": lambda: np.repeat(frames()[:1], 100, 0),
    "the mouth covered": lambda: [covered(picture) for picture in frames()[:150]],
    "half a face": lambda: frames()[:150, :, : frames().shape[2] * 2 // 5],
    "a profile": lambda: [turned(picture, 90) for picture in frames()[:120]],
    "the other profile": lambda: [turned(picture, -90) for picture in frames()[:120]],
    "a head that turns to a profile": lambda: [
        turned(picture, np.clip(6.0 * (i - 12), 0, 90)) for i, picture in enumerate(frames()[:180])
    ],
    "three frames": lambda: frames()[:3],
    "two speakers": lambda: np.concatenate([frames()[:75], frames()[:75, :, ::-1]], axis=2),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_a_mouth_that_is_not_seen_to_speak_is_left_alone(name):
    assert_left_alone(estimate.estimate(seen(UNSEEN[name]()), late(speech())))


def test_a_face_that_is_half_turned_is_measured():
    assert_measured(estimate.estimate(seen([turned(picture, 45) for picture in frames()[:150]]), late(speech())))


def test_a_still_picture_is_said_to_be_still():
    assert "does not move" in estimate.estimate(seen(UNSEEN["a still picture"]()), late(speech())).reason


@pytest.mark.parametrize("offset_ms", [-590.0, 590.0])
def test_600_ms_are_searched_either_way(offset_ms):
    assert_measured(estimate.estimate(track(), fix.moved(speech(), offset_ms)), offset_ms)


def test_one_picture_a_second_is_too_few():
    found = estimate.estimate(seen(frames()[::25], np.arange(0, len(frames()), 25) / 25), late(speech()))
    assert_left_alone(found)
    assert "too few" in found.reason


def as_seen(times_s) -> Track:
    """The track at other moments: each shows the frame that is due."""
    at = np.minimum((np.asarray(times_s) * 25 + 1e-6).astype(int), len(frames()) - 1)
    whole = track()
    return Track(list(times_s), [whole.values[i] for i in at], [whole.scene[i] for i in at], len(at), whole.checks, 0)


def test_240_frames_a_second_say_the_same():
    held_ms = 1000 * (1 / 25 - 1 / 240) / 2  # a frame shown until the next is due is seen that much later
    assert_measured(estimate.estimate(as_seen(np.arange(0, 9.6, 1 / 240)), late(speech())), LATE_MS - held_ms)


def test_a_variable_frame_rate_says_the_same():
    kept = np.sort(np.random.default_rng(5).choice(len(frames()), 170, replace=False))
    assert_measured(estimate.estimate(as_seen(kept / 25), late(speech())))


def test_odd_sizes_and_a_wide_margin():
    pictures = np.pad(frames()[:150], ((0, 0), (1, 2), (33, 70), (0, 0)))
    assert pictures.shape[1] % 2 and pictures.shape[2] % 2
    assert_measured(estimate.estimate(seen(pictures), late(speech())))


@pytest.mark.parametrize("samples", [5 * 16000, 16 * 16000])
def test_sound_shorter_or_longer_than_the_pictures(samples):
    sound = with_samples(np.pad(late(speech()).mono(), (0, 16 * 16000))[:samples])
    found = estimate.estimate(track(), sound)
    assert_measured(found)
    assert fix.moved(sound, -160.0).samples == samples


def test_black_frames_between_are_not_minded():
    pictures = frames().copy()
    pictures[:20] = 0
    pictures[-20:] = 0
    assert_measured(estimate.estimate(seen(pictures), late(speech())))


def test_a_cut_to_another_place_is_not_minded():
    pictures = [
        picture if i < 120 else 255 - picture[:20, :20].repeat(20, 0).repeat(20, 1)[:256, :256] if i < 140 else picture
        for i, picture in enumerate(frames())
    ]
    found = seen(pictures)
    assert len(set(found.scene)) > 1
    assert_measured(estimate.estimate(found, late(speech())))


def test_sound_that_drifts_is_told_and_not_moved():
    """Four times the clip, its sound played 1 % too slowly."""
    whole, count, times = track(), len(frames()), 4
    long = Track(
        [i / 25 for i in range(times * count)], whole.values * times, [0] * times * count, times * count, 40, 0
    )
    straight = np.tile(np.resize(speech().mono(), count * 640), times)
    assert estimate.estimate(long, with_samples(straight)).drift_ms == 0.0
    slow = np.interp(np.arange(len(straight)) / 1.01, np.arange(len(straight)), straight)
    found = estimate.estimate(long, with_samples(slow))
    assert found.drift_ms == pytest.approx(300, abs=120)
    assert "drifts" in found.reason and fix.decide(found, 600)[0] == 0.0


def test_any_rate_and_channels_are_moved_by_the_same_time():
    stereo = Sound(np.stack([speech().mono(), 0.5 * speech().mono()]), speech().rate)
    for sound in (stereo, Sound(speech().waveform, 8000)):
        moved = fix.moved(sound, 100.0)
        later = round(0.1 * sound.rate)
        fade = round(0.005 * sound.rate)
        assert moved.waveform.shape == sound.waveform.shape and not moved.waveform[:, :later].any()
        assert np.array_equal(moved.waveform[:, later + fade : -fade], sound.waveform[:, fade : -fade - later])
