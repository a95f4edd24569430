"""The smoother on frames with known faults: a textured scene with injected shake, flicker and noise."""

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.errors import InputError
from sonic_nodes.extension.loading import PACK
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS, find_faces
from sonic_nodes.smooth.frames import Smoother

PORTRAIT = PACK / "sonic_nodes" / "assets" / "sample" / "portrait.jpg"
SIDE, FRAMES = 192, 40


def scene(shift=(0.0, 0.0), region=np.s_[:, :]):
    """An image of smooth waves, exact at any shift, levels 40 to 215; or a region of it."""
    y, x = (grid[region].astype(np.float64) for grid in np.mgrid[:SIDE, :SIDE])
    x, y = x - shift[0], y - shift[1]
    waves = np.sin(x / 3.1 + y / 9) + np.sin(y / 3.7 - x / 7) + np.sin((x + y) / 17)
    return np.stack([128 + 29 * waves, 120 + 24 * waves, 118 + 20 * np.sin(x / 4)], axis=-1)


def clip(random, shake=0.0, flicker=0.0, noise=0.0, drift=0.0):
    frames = []
    for i in range(FRAMES):
        image = scene(shake * random.standard_normal(2) + drift * i) * (1 + flicker * random.standard_normal())
        frames.append(np.clip(np.rint(image + noise * random.standard_normal(image.shape)), 0, 255).astype(np.uint8))
    return frames


def smoothed(frames, strength=0.5):
    smoother = Smoother(strength, protect_mouth=False)
    return list(smoother.run(frames)), smoother


def error(frames, drift=0.0):
    return np.mean(
        [np.mean((f[8:-8, 8:-8] - scene((drift * i, drift * i))[8:-8, 8:-8]) ** 2) for i, f in enumerate(frames)]
    )


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_a_clip_without_faults_stays_bit_for_bit(strength):
    frames = clip(np.random.default_rng(1), drift=0.3)
    out, smoother = smoothed(frames, strength)
    assert np.array_equal(out, frames)
    assert "Nothing was changed" in smoother.summary()


def test_strength_0_is_the_identity_on_faults():
    frames = clip(np.random.default_rng(2), shake=0.5, flicker=0.015, noise=2)
    assert np.array_equal(smoothed(frames, 0.0)[0], frames)


@pytest.mark.parametrize(
    ("faults", "kept"),
    [
        ({"shake": 0.5}, 0.25),
        ({"flicker": 0.015}, 0.3),
        ({"noise": 2.0}, 0.4),
        ({"shake": 0.5, "flicker": 0.015, "noise": 2.0}, 0.3),
    ],
)
def test_each_fault_is_corrected(faults, kept):
    frames = clip(np.random.default_rng(3), **faults)
    out, smoother = smoothed(frames)
    assert error(out) < kept * error(frames)
    report = smoother.report()
    assert bool(report["shaken"]) == ("shake" in faults)
    assert bool(report["flickering"]) == ("flicker" in faults)
    assert bool(report["noisy"]) == ("noise" in faults)


def test_a_moving_camera_keeps_its_movement():
    frames = clip(np.random.default_rng(4), shake=0.5, drift=0.8)
    out, _ = smoothed(frames)
    assert error(out, drift=0.8) < 0.35 * error(frames, drift=0.8)


def test_a_camera_that_rests_and_moves_on_keeps_its_movement():
    random, frames, at = (
        np.random.default_rng(9),
        [],
        np.cumsum(np.where(np.isin(np.arange(FRAMES), (14, 15, 27)), 2.0, 0.0)),
    )
    for x in at:
        frames.append(np.clip(np.rint(scene((x, 0.0) + 0.4 * random.standard_normal(2))), 0, 255).astype(np.uint8))
    apart = [
        np.mean([np.mean((f[8:-8, 8:-8] - scene((x, 0.0))[8:-8, 8:-8]) ** 2) for f, x in zip(clip_, at, strict=True)])
        for clip_ in (smoothed(frames)[0], frames)
    ]
    assert apart[0] < 0.3 * apart[1]


def walk(random, count, slowness=3.0):
    """The path of a hand-held camera, [count, 2] px: slow random movement."""
    weights = np.exp(-0.5 * (np.arange(-12, 13) / slowness) ** 2)
    return (
        np.stack(
            [np.convolve(random.standard_normal(count + 24), weights / weights.sum(), "valid") for _ in range(2)],
            axis=1,
        )
        * 6
    )


def repeated(path):
    """Every sixth point twice, as in a clip of 25 fps converted to 30."""
    return path[np.arange(len(path) * 6 // 5) * 5 // 6]


@pytest.mark.parametrize("seed", [13, 14, 15])
def test_a_hand_held_camera_is_not_shake(seed):
    path = walk(np.random.default_rng(seed), FRAMES)
    for places in (path, repeated(path)):
        frames = [np.clip(np.rint(scene(p)), 0, 255).astype(np.uint8) for p in places]
        out, smoother = smoothed(frames)
        assert smoother.report()["shaken"] == 0 and np.array_equal(out, frames)


@pytest.mark.parametrize(("seed", "slowness"), [(1, 1.0), (2, 1.0), (1, 1.3), (3, 1.3)])
def test_fast_movement_beside_flicker_is_not_shake(seed, slowness):
    random = np.random.default_rng(seed)
    path = walk(random, FRAMES, slowness) / 4 * slowness**0.5
    frames = [
        np.clip(np.rint(scene(p) * (1 + 0.015 * random.standard_normal())), 0, 255).astype(np.uint8) for p in path
    ]
    report = smoothed(frames)[1].report()
    assert report["flickering"] == FRAMES and report["shaken"] == 0


def scene_with_foreground(shift, at):
    """The shifted scene, and a disc of 50 px that moves on its own."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    squared = (x - shift[0] - 125 - 20 * np.sin(at)) ** 2 + (y - shift[1] - 96 - 15 * np.cos(at)) ** 2
    return scene(shift) + np.exp(-((squared / 25**2) ** 2))[..., None] * (
        scene(shift + np.array([4.0, 2.0]) * at) - scene(shift)
    )


def registered(frame, place, region=np.s_[8:-8:2, 8:80:2]):
    """[2] px: where the scene is in the frame, relative to `place`, by two Gauss-Newton steps (accurate to 0.01)."""
    found, step = np.zeros(2), 0.1
    for _ in range(2):
        pairs = [[scene(place + found + d, region) for d in (step * axis, -step * axis)] for axis in np.eye(2)]
        slopes = np.stack([(a - b).ravel() / (2 * step) for a, b in pairs], axis=1)
        difference = (frame[region] - scene(place + found, region)).ravel()
        found = found + np.linalg.lstsq(slopes, difference, rcond=None)[0]
    return found


def reference_error(path, truth, moments):
    """Mean squared error of the best Whittaker smoother of `path`, whose stiffness is tuned to the truth. Points of one
    moment share their place; each is smoothed in the window that the smoother of csrc/smooth has."""
    count, errors = len(path), []
    for stiffness in 4.0 ** np.arange(-4, 9):
        out = np.empty(count)
        for i in range(count):
            window = np.arange(max(0, i - 40), min(count, i + 21))
            at = moments[window] - moments[window[0]]
            shared = np.eye(at[-1] + 1)[at]
            bends = np.diff(np.eye(at[-1] + 1), 2, axis=0)
            out[i] = np.linalg.solve(shared.T @ shared + stiffness * bends.T @ bends, shared.T @ path[window])[
                at[i - window[0]]
            ]
        errors.append(np.mean((out - truth) ** 2))
    return min(errors)


def test_shake_of_a_clip_with_repeated_frames_is_corrected():
    """Closer to a reference smoother that knows the repeated frames than to one that does not: their squared errors are
    0.076 and 0.33 of the shake's. The smoother reaches 0.15; without the knowledge of repeats it would be 0.38."""
    moments = repeated(np.arange(FRAMES))
    places = np.stack([0.02 * moments**2.0, 0.0 * moments], axis=1)
    left, known, unknown = [], [], []
    for seed in range(4):
        shake = 0.5 * np.random.default_rng(seed).standard_normal(places.shape)
        frames = [
            np.clip(np.rint(scene_with_foreground(place, at)), 0, 255).astype(np.uint8)
            for place, at in zip(places + shake, moments, strict=True)
        ]
        motion = [_sonic.smooth_motion(*pair) for pair in zip(frames, frames[1:], strict=False)]
        assert [step["repeat"] for step in motion] == list(np.diff(moments) == 0)
        out = smoothed(frames)[0]
        errors = np.array([registered(frame, place)[0] for frame, place in zip(out, places, strict=True)])
        path, truth = places[:, 0] + shake[:, 0], places[:, 0]
        size = np.mean(shake[:, 0] ** 2)
        left.append(np.mean(errors**2) / size)
        known.append(reference_error(path, truth, moments) / size)
        unknown.append(reference_error(path, truth, np.arange(len(moments))) / size)
    assert np.mean(left) < (np.mean(known) + np.mean(unknown)) / 2, (left, known, unknown)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_moving_foreground_before_a_plain_wall_is_not_followed(seed):
    random = np.random.default_rng(seed)
    shake, movement = 0.5 * random.standard_normal((FRAMES, 2)), 1.5 * walk(random, FRAMES, slowness=2.0)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    frames = []
    for own, place in zip(shake, shake + movement, strict=True):
        distance = np.hypot(x - 96 - place[0], 0.8 * (y - 130 - place[1]))
        inside = 1 / (1 + np.exp((distance - 60) / 1.5))[..., None]
        wall = 120 + 0.3 * (scene(own) - 120)
        image = wall + inside * (scene(place) - wall) + 1.5 * random.standard_normal((SIDE, SIDE, 3))
        frames.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    out, _ = smoothed(frames)
    still = np.rint(120 + 0.3 * (scene() - 120)).astype(np.uint8)[:64]
    remaining, injected = (
        np.array([_sonic.smooth_motion(still, f[:64])["shift_px"] for f in clip_]).std() for clip_ in (out, frames)
    )
    assert remaining < 0.3 * injected


@pytest.mark.parametrize("shift", [(0.3, -0.45), (-0.7, 0.6), (0.0, 0.0)])
def test_motion_is_measured_to_hundredths_of_a_pixel(shift):
    before, now = (np.clip(np.rint(scene(s) * g), 0, 255).astype(np.uint8) for s, g in (((0, 0), 1.0), (shift, 1.02)))
    step = _sonic.smooth_motion(before, now)
    assert np.allclose(step["shift_px"], shift, atol=0.02)
    assert np.allclose(step["gain"], np.log(1.02), atol=0.005)


def test_a_cut_restarts_the_filters():
    random = np.random.default_rng(5)
    first, second = clip(random, shake=0.5), [255 - frame for frame in clip(random, shake=0.5)]
    out, smoother = smoothed(first + second)
    assert smoother.report()["cuts"] == 1
    assert np.array_equal(out[:FRAMES], smoothed(first)[0])
    assert np.array_equal(out[FRAMES:], smoothed(second)[0])


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_short_clips_stay(count):
    frames = clip(np.random.default_rng(6), shake=0.5)[:count]
    assert np.array_equal(smoothed(frames)[0], frames)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 9, 3), (63, 200, 3), (65, 67, 3), (200, 64, 3)])
def test_odd_and_small_sizes(shape):
    frames = list(np.random.default_rng(7).integers(0, 256, (12, *shape), dtype=np.uint8))
    assert [f.shape for f in smoothed(frames)[0]] == [shape] * 12


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_frames_stay(level):
    frames = [np.full((80, 96, 3), level, np.uint8)] * 30
    assert np.array_equal(smoothed(frames)[0], frames)


def test_the_result_is_deterministic():
    frames = clip(np.random.default_rng(8), shake=0.4, flicker=0.01, noise=2)
    assert np.array_equal(smoothed(frames)[0], smoothed(frames)[0])


def test_frames_of_two_sizes_are_refused():
    frames = [np.zeros((80, 80, 3), np.uint8), np.zeros((80, 82, 3), np.uint8)]
    with pytest.raises(InputError, match="^Give frames of one size"):
        smoothed(frames)


def test_the_extension_refuses_wrong_arguments():
    with pytest.raises(ValueError, match="^Choose frames with sides of"):
        _sonic.smooth_create(0, 10, 0.5)
    with pytest.raises(ValueError, match="^Choose a strength"):
        _sonic.smooth_create(10, 10, float("nan"))
    smoother = _sonic.smooth_create(80, 80, 0.5)
    with pytest.raises(ValueError, match="^Give frames of one size"):
        _sonic.smooth_push(smoother, np.zeros((80, 81, 3), np.uint8))
    with pytest.raises(ValueError, match="^Give meshes"):
        _sonic.smooth_push(smoother, np.zeros((80, 80, 3), np.uint8), np.zeros((1, 5, 3), np.float32))
    with pytest.raises(ValueError, match="^Pull a frame first"):
        for _ in range(100):
            _sonic.smooth_push(smoother, np.zeros((80, 80, 3), np.uint8))


@pytest.fixture(scope="module")
def portrait():
    return np.asarray(Image.open(PORTRAIT).convert("RGB").resize((320, 320)))


def test_a_still_portrait_stays(portrait):
    smoother = Smoother()
    assert np.array_equal(list(smoother.run([portrait] * 30)), [portrait] * 30)
    assert "Nothing was changed" in smoother.summary()


def test_lips_and_eyes_keep_their_noise_and_the_face_its_detail(portrait):
    random = np.random.default_rng(10)
    frames = [
        np.clip(np.rint(portrait + 2.5 * random.standard_normal(portrait.shape)), 0, 255).astype(np.uint8)
        for _ in range(30)
    ]
    mesh = find_faces(portrait, thorough=False)[0].mesh
    mouth = ("lip_top", "lip_upper", "lip_lower", "lip_bottom", "mouth_left", "mouth_right")
    lids = [LANDMARKS[f"eye_{side}"][12] for side in ("left", "right")]  # middles of the upper lids
    points = [np.rint(mesh[p, :2]).astype(int) for p in [LANDMARKS[name] for name in mouth] + lids]
    kept, free = (np.stack(list(Smoother(0.5, protect).run(frames)))[20] for protect in (True, False))
    assert all(np.array_equal(kept[y, x], frames[20][y, x]) for x, y in points)
    assert sum(np.array_equal(free[y, x], frames[20][y, x]) for x, y in points) < 4
    apart = [np.mean((frame[:60, :60] - np.float64(portrait[:60, :60])) ** 2) for frame in (kept, frames[20])]
    assert apart[0] < 0.5 * apart[1]


def test_a_face_missed_for_a_moment_stays_protected(portrait):
    plain = np.zeros_like(portrait)
    smoother = Smoother()
    faces = [len(smoother._detect(frame)) for frame in [portrait, plain, plain, plain, plain, portrait, plain]]
    assert faces == [1, 1, 1, 1, 0, 1, 1]


def test_clips_without_a_face_are_corrected_too():
    frames = clip(np.random.default_rng(11), noise=2)
    assert not find_faces(frames[0], thorough=False)
    assert error(list(Smoother().run(frames))) < 0.4 * error(frames)


def test_an_even_fade_is_not_flicker():
    frames = [np.rint(scene() * (0.3 + 0.02 * i)).clip(0, 255).astype(np.uint8) for i in range(FRAMES)]
    out, smoother = smoothed(frames)
    assert smoother.report()["flickering"] == 0 and np.array_equal(out, frames)


def test_a_zoom_is_not_shake():
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64) - SIDE / 2
    frames = []
    for i in range(FRAMES):
        u, v = x * (1 + 0.004 * i), y * (1 + 0.004 * i)
        waves = np.sin(u / 3.1 + v / 9) + np.sin(v / 3.7 - u / 7)
        frames.append(np.repeat(np.rint(128 + 40 * waves).astype(np.uint8)[..., None], 3, axis=-1))
    out, smoother = smoothed(frames)
    assert smoother.report()["shaken"] == 0 and np.array_equal(out, frames)


def test_flicker_of_one_side_is_corrected_only_there():
    random, frames = np.random.default_rng(12), []
    side = np.clip((np.arange(SIDE) - 70) / 60, 0, 1)[None, :, None]
    for _ in range(FRAMES):
        frames.append(
            np.clip(np.rint(scene() * (1 + 0.025 * random.standard_normal() * side)), 0, 255).astype(np.uint8)
        )
    out, smoother = smoothed(frames)
    assert smoother.report()["flickering"] == FRAMES
    left, right = np.s_[:, :, :40], np.s_[:, :, 130:]
    apart = [np.mean((np.float64(clip_)[right] - np.stack([scene()] * FRAMES)[right]) ** 2) for clip_ in (out, frames)]
    assert apart[0] < 0.3 * apart[1]
    assert np.abs(np.int16(out)[left] - np.int16(frames)[left]).max() <= 1
