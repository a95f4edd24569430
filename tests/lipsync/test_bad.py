"""Lip-sync calibration on input that it must leave alone, and on unusual clips that it can measure."""

import functools

import numpy as np
import pytest

from sonic_nodes.face_tracker import FaceTrack
from sonic_nodes.lipsync import estimate, fix
from sonic_nodes.media.audio import Sound
from tests.lipsync.speaking import frames, rotated_head, speech, track, track_frames, with_samples

LATE_MS = 200.0  # late enough to be corrected wherever the estimate is confident
FEW = 60  # frames from which the sample is measured with confidence


def late(sound):
    return fix.shifted(sound, LATE_MS)


def assert_left_alone(found):
    assert found.confidence < estimate.FIX_CONFIDENCE
    assert fix.decide(found, 600)[0] == 0.0
    assert found.reason.startswith(("Nothing was measured: ", "Not sure: "))


def assert_measured(found, offset_ms=LATE_MS, within_ms=25.0):
    assert found.is_confident, found.reason
    assert found.offset_ms == pytest.approx(offset_ms, abs=within_ms)
    assert fix.decide(found, 700)[0] == pytest.approx(fix.TARGET_MS - found.offset_ms)


@pytest.mark.parametrize("count", [FEW, 240])
def test_the_clip_of_these_tests_is_measured(count):
    assert_measured(estimate.estimate(sampled(np.arange(count) / 25), late(speech())))


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
def test_sound_that_does_not_match_the_mouth_is_left_alone(name):
    assert_left_alone(estimate.estimate(track(), FOREIGN[name]()))


def covered(frame):
    frame = frame.copy()
    frame[frame.shape[0] * 11 // 20 :] = 90
    return frame


UNUSABLE = {
    "black frames": lambda: np.zeros_like(frames()[:FEW]),
    "no face": lambda: np.random.default_rng(4).integers(0, 255, (50, 128, 160, 3), np.uint8),
    "a still image": lambda: np.repeat(frames()[:1], 100, 0),
    "the mouth covered": lambda: [covered(frame) for frame in frames()[:FEW]],
    "half a face": lambda: frames()[:FEW, :, : frames().shape[2] * 2 // 5],
    "a profile": lambda: [rotated_head(frame, 90) for frame in frames()[:FEW]],
    "the other profile": lambda: [rotated_head(frame, -90) for frame in frames()[:FEW]],
    "a head that turns to a profile": lambda: [
        rotated_head(frame, np.clip(6.0 * (i - 12), 0, 90)) for i, frame in enumerate(frames()[: FEW + 27])
    ],
    "three frames": lambda: frames()[:3],
    "two speakers": lambda: np.concatenate([frames()[:FEW], frames()[:FEW, :, ::-1]], axis=2),
}


@functools.cache
def estimate_unusable(name):
    return estimate.estimate(track_frames(UNUSABLE[name]()), late(speech()))


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_mouth_that_is_not_visible_or_does_not_speak_is_left_alone(name):
    assert_left_alone(estimate_unusable(name))


def test_a_face_rotated_by_45_degrees_is_measured():
    clip = [rotated_head(frame, 45) for frame in frames()[:FEW]]
    assert_measured(estimate.estimate(track_frames(clip), late(speech())))


def test_a_still_image_is_reported_as_still():
    assert "does not move" in estimate_unusable("a still image").reason


@pytest.mark.parametrize("offset_ms", [-590.0, 590.0])
def test_600_ms_are_searched_either_way(offset_ms):
    assert_measured(estimate.estimate(track(), fix.shifted(speech(), offset_ms)), offset_ms)


def test_one_frame_per_second_is_too_few():
    found = estimate.estimate(track_frames(frames()[::25], np.arange(0, len(frames()), 25) / 25), late(speech()))
    assert_left_alone(found)
    assert "too few" in found.reason


def sampled(times_s) -> FaceTrack:
    """The track at other times, each with the frame shown then."""
    at = np.minimum((np.asarray(times_s) * 25 + 1e-6).astype(int), len(frames()) - 1)
    whole = track()
    return FaceTrack(
        list(times_s), [whole.values[i] for i in at], [whole.scene[i] for i in at], len(at), whole.checks, 0
    )


def test_240_frames_per_second_give_the_same_offset():
    held_ms = 1000 * (1 / 25 - 1 / 240) / 2  # a frame held until the next counts as that much later
    assert_measured(estimate.estimate(sampled(np.arange(0, 9.6, 1 / 240)), late(speech())), LATE_MS - held_ms)


def test_a_variable_frame_rate_gives_the_same_offset():
    kept = np.sort(np.random.default_rng(5).choice(len(frames()), 170, replace=False))
    assert_measured(estimate.estimate(sampled(kept / 25), late(speech())))


def test_odd_sizes_and_a_wide_margin():
    clip = np.pad(frames()[:FEW], ((0, 0), (1, 2), (33, 70), (0, 0)))
    assert clip.shape[1] % 2 and clip.shape[2] % 2
    assert_measured(estimate.estimate(track_frames(clip), late(speech())))


@pytest.mark.parametrize("samples", [5 * 16000, 16 * 16000])
def test_sound_shorter_or_longer_than_the_video(samples):
    sound = with_samples(np.pad(late(speech()).mono(), (0, 16 * 16000))[:samples])
    found = estimate.estimate(track(), sound)
    assert_measured(found)
    assert fix.shifted(sound, -160.0).samples == samples


def test_black_frames_do_not_matter():
    clip = frames()[: FEW + 70].copy()
    clip[:20] = 0
    clip[-20:] = 0
    assert_measured(estimate.estimate(track_frames(clip), late(speech())))


def test_a_cut_to_another_scene_does_not_matter():
    clip = frames()[: FEW + 70].copy()
    clip[50:70] = 255 - clip[50:70, :20, :20].repeat(20, 1).repeat(20, 2)[:, :256, :256]
    found = track_frames(clip)
    assert len(set(found.scene)) > 1
    assert_measured(estimate.estimate(found, late(speech())))


def test_sound_that_drifts_is_reported_and_not_shifted():
    """Four times the clip, its sound 1 % too slow."""
    whole, count, times = track(), len(frames()), 4
    long = FaceTrack(
        [i / 25 for i in range(times * count)], whole.values * times, [0] * times * count, times * count, 40, 0
    )
    straight = np.tile(np.resize(speech().mono(), count * 640), times)
    assert estimate.estimate(long, with_samples(straight)).drift_ms == 0.0
    slow = np.interp(np.arange(len(straight)) / 1.01, np.arange(len(straight)), straight)
    found = estimate.estimate(long, with_samples(slow))
    assert found.drift_ms == pytest.approx(300, abs=120)
    assert "drifts" in found.reason and fix.decide(found, 600)[0] == 0.0


def test_any_rate_and_channels_are_shifted_by_the_same_time():
    stereo = Sound(np.stack([speech().mono(), 0.5 * speech().mono()]), speech().rate)
    for sound in (stereo, Sound(speech().waveform, 8000)):
        moved = fix.shifted(sound, 100.0)
        delay = round(0.1 * sound.rate)
        fade = round(0.005 * sound.rate)
        assert moved.waveform.shape == sound.waveform.shape and not moved.waveform[:, :delay].any()
        assert np.array_equal(moved.waveform[:, delay + fade : -fade], sound.waveform[:, fade : -fade - delay])
