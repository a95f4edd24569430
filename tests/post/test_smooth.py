"""The smoother on pictures whose faults are known: a textured scene that shakes, flickers and carries noise by numbers of ours."""
import numpy as np
import pytest

from sonic_nodes.errors import InputError
from sonic_nodes.native import _sonic
from sonic_nodes.smooth.frames import Smoother

SIDE, FRAMES = 192, 40


def scene(shift=(0.0, 0.0), side=SIDE):
    """A picture of smooth waves, exact at any shift, 40 to 215."""
    y, x = np.mgrid[:side, :side].astype(np.float64)
    x, y = x - shift[0], y - shift[1]
    waves = np.sin(x / 3.1 + y / 9) + np.sin(y / 3.7 - x / 7) + np.sin((x + y) / 17)
    return np.stack([128 + 29 * waves, 120 + 24 * waves, 118 + 20 * np.sin(x / 4)], axis=-1)


def clip(random, shake=0.0, flicker=0.0, noise=0.0, drift=0.0):
    frames = []
    for i in range(FRAMES):
        picture = scene(shake * random.standard_normal(2) + drift * i) * (1 + flicker * random.standard_normal())
        frames.append(np.clip(np.rint(picture + noise * random.standard_normal(picture.shape)), 0, 255).astype(np.uint8))
    return frames


def smoothed(frames, strength=0.5):
    smoother = Smoother(strength, protect_mouth=False)
    return list(smoother.run(frames)), smoother


def error(frames, drift=0.0):
    return np.mean([np.mean((f[8:-8, 8:-8] - scene((drift * i, drift * i))[8:-8, 8:-8]) ** 2) for i, f in enumerate(frames)])


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_nothing_to_mend_is_the_same_bit_for_bit(strength):
    frames = clip(np.random.default_rng(1), drift=0.3)
    out, smoother = smoothed(frames, strength)
    assert np.array_equal(out, frames)
    assert "Nothing was changed" in smoother.words()


def test_strength_0_is_the_identity_on_faults():
    frames = clip(np.random.default_rng(2), shake=0.5, flicker=0.015, noise=2)
    assert np.array_equal(smoothed(frames, 0.0)[0], frames)


@pytest.mark.parametrize(("faults", "kept"), [
    ({"shake": 0.5}, 0.25), ({"flicker": 0.015}, 0.3), ({"noise": 2.0}, 0.4), ({"shake": 0.5, "flicker": 0.015, "noise": 2.0}, 0.3),
])
def test_each_fault_is_mended(faults, kept):
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
    random, frames, at = np.random.default_rng(9), [], np.cumsum(np.where(np.isin(np.arange(FRAMES), (14, 15, 27)), 2.0, 0.0))
    for x in at:
        frames.append(np.clip(np.rint(scene((x, 0.0) + 0.4 * random.standard_normal(2))), 0, 255).astype(np.uint8))
    apart = [np.mean([np.mean((f[8:-8, 8:-8] - scene((x, 0.0))[8:-8, 8:-8]) ** 2) for f, x in zip(clip_, at, strict=True)])
             for clip_ in (smoothed(frames)[0], frames)]
    assert apart[0] < 0.3 * apart[1]


@pytest.mark.parametrize("shift", [(0.3, -0.45), (-0.7, 0.6), (0.0, 0.0)])
def test_a_step_is_measured_to_a_hundredth(shift):
    before, now = (np.clip(np.rint(scene(s) * g), 0, 255).astype(np.uint8) for s, g in (((0, 0), 1.0), (shift, 1.02)))
    step = _sonic.smooth_step(before, now)
    assert np.allclose(step["shift_px"], shift, atol=0.02)
    assert np.allclose(step["gain"], np.log(1.02), atol=0.005)


def test_a_cut_starts_anew():
    random = np.random.default_rng(5)
    first, second = clip(random, shake=0.5), [255 - frame for frame in clip(random, shake=0.5)]
    out, smoother = smoothed(first + second)
    assert smoother.report()["cuts"] == 1
    assert np.array_equal(out[:FRAMES], smoothed(first)[0])
    assert np.array_equal(out[FRAMES:], smoothed(second)[0])


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_short_clips_come_out_whole(count):
    frames = clip(np.random.default_rng(6), shake=0.5)[:count]
    assert np.array_equal(smoothed(frames)[0], frames)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 9, 3), (63, 200, 3), (65, 67, 3), (200, 64, 3)])
def test_odd_and_small_sizes(shape):
    frames = list(np.random.default_rng(7).integers(0, 256, (12, *shape), dtype=np.uint8))
    assert [f.shape for f in smoothed(frames)[0]] == [shape] * 12


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_pictures_stay(level):
    frames = [np.full((80, 96, 3), level, np.uint8)] * 30
    assert np.array_equal(smoothed(frames)[0], frames)


def test_the_same_every_time():
    frames = clip(np.random.default_rng(8), shake=0.4, flicker=0.01, noise=2)
    assert np.array_equal(smoothed(frames)[0], smoothed(frames)[0])


def test_frames_of_two_sizes_are_refused():
    frames = [np.zeros((80, 80, 3), np.uint8), np.zeros((80, 82, 3), np.uint8)]
    with pytest.raises(InputError, match="^Give frames of one size"):
        smoothed(frames)


def test_the_native_part_refuses_what_it_cannot_take():
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
