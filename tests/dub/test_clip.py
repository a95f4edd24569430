"""Reading a clip at 25 frames a second, forwards and backwards; which frame is shown after its end."""

import itertools

import numpy as np
import pytest

from sonic_nodes.dub import BACK_AND_FORTH, FORWARD, HOLD, LOOP, clip
from sonic_nodes.dub.clip import Clip, runs
from sonic_nodes.dub.timeline import frame_order, is_seam
from sonic_nodes.errors import InputError
from tests.dub.clips import numbered, numbers_of, write_clip


@pytest.fixture
def small_memory(monkeypatch):
    """Two frames are kept for a way back."""
    monkeypatch.setattr(clip, "HELD_BYTES", 2 * 18 * 34 * 3)


def scanned(path, count=10**6):
    found = Clip(path)
    return found, numbers_of(found.scan(count))


def test_every_frame_of_a_clip_at_25(tmp_path):
    found, numbers = scanned(write_clip(tmp_path / "a.mp4", numbered(30)))
    assert numbers == list(range(30))
    assert (found.height, found.width, found.frame_bytes) == (18, 34, 18 * 34 * 3)
    assert numbers_of(found.scan(7)) == list(range(7))


@pytest.mark.parametrize("fps", [50, 30, 24, 10])
def test_other_rates_show_what_a_player_would(tmp_path, fps):
    count = 2 * fps
    _, numbers = scanned(write_clip(tmp_path / "a.mkv", numbered(count), fps=fps))
    assert len(numbers) == 50
    middles = (np.arange(50) + 0.5) / 25
    assert numbers == [min(count - 1, int(fps * t + 1e-9)) for t in middles]


def test_a_variable_rate(tmp_path):
    times_s = np.cumsum([0, *itertools.islice(itertools.cycle([0.025, 0.105, 0.045, 0.305]), 23)])
    _, numbers = scanned(write_clip(tmp_path / "a.mkv", numbered(24), times_s=times_s))
    middles = (np.arange(len(numbers)) + 0.5) / 25
    assert numbers == [int(np.searchsorted(times_s, t, side="right")) - 1 for t in middles]
    assert len(numbers) >= 25 * times_s[-1]


@pytest.mark.parametrize("end", [LOOP, FORWARD, BACK_AND_FORTH, HOLD])
@pytest.mark.parametrize("has_seam", [True, False])
def test_frames_are_read_in_any_order_with_little_memory(tmp_path, small_memory, end, has_seam):
    found, _ = scanned(write_clip(tmp_path / "a.mp4", numbered(40)))
    order = frame_order(130, 40, end, has_seam)
    assert numbers_of(found.read(order)) == order.tolist()
    assert numbers_of(found.read(order[::2])) == order[::2].tolist()


def test_a_way_back_is_read_in_blocks(tmp_path, small_memory):
    found, _ = scanned(write_clip(tmp_path / "a.mp4", numbered(20)))
    read = found._forwards
    most = []
    found._forwards = lambda run: most.append(len(set(run))) or read(run)
    assert numbers_of(found.read(range(19, -1, -1))) == list(range(19, -1, -1))
    assert max(most) == 2


def test_a_short_clip_is_decoded_once(tmp_path, monkeypatch):
    found, _ = scanned(write_clip(tmp_path / "a.mp4", numbered(10)))
    opened, open_video = [], clip.open_video
    monkeypatch.setattr(clip, "open_video", lambda *arguments: opened.append(1) or open_video(*arguments))
    order = frame_order(60, 10, BACK_AND_FORTH, True)
    assert numbers_of(found.read(order)) == order.tolist() and len(opened) == 1


def test_a_file_that_shrinks_is_named(tmp_path, small_memory):
    path = write_clip(tmp_path / "a.mp4", numbered(30))
    found, _ = scanned(path)
    write_clip(path, numbered(9))
    with pytest.raises(InputError, match="^Leave 'a.mp4' alone while it is read"):
        list(found.read(range(30)))


@pytest.mark.parametrize(
    ("end", "has_seam", "order"),
    [
        (FORWARD, True, [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        (LOOP, False, [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        (LOOP, True, [0, 1, 2, 3, 2, 1, 0, 1, 2]),
        (BACK_AND_FORTH, False, [0, 1, 2, 3, 2, 1, 0, 1, 2]),
        (HOLD, False, [0, 1, 2, 3, 3, 3, 3, 3, 3]),
    ],
)
def test_what_follows_the_last_frame(end, has_seam, order):
    assert frame_order(9, 4, end, has_seam).tolist() == order
    assert frame_order(3, 4, end, has_seam).tolist() == [0, 1, 2]
    assert frame_order(3, 1, end, has_seam).tolist() == [0, 0, 0]


def test_a_step_of_the_usual_size_is_no_seam():
    steps = np.array([1.0, 1.2, 0.8, 1.0])
    assert not is_seam(steps, 1.9) and is_seam(steps, 3.0)
    assert is_seam(steps, float("nan")) and is_seam(np.array([]), 0.0)


def test_runs_ascend_or_descend():
    assert list(runs([0, 1, 2, 1, 0, 0, 1])) == [[0, 1, 2], [1, 0, 0], [1]]
    assert list(runs([3])) == [[3]] and list(runs([])) == []
