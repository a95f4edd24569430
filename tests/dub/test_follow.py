"""A clip dubbed with another recording: the mouth follows the voice, faces that are lost, lengths and sizes."""

import numpy as np
import pytest

from sonic_nodes import pipeline
from sonic_nodes.dub import HOLD
from sonic_nodes.dub.clip import Clip
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.errors import NoFaceError, UsageError
from sonic_nodes.lipsync import estimate
from sonic_nodes.media.audio import Sound, read_sound
from tests.dub.clips import read_frames, speaking_frames, write_clip
from tests.lipsync import speaking


def part(seconds, start_s=0.0):
    return speaking.speech().part(start_s, seconds)


def dubbed(path, sound, **settings):
    """(SONIC_PREDATA, frames of the result)"""
    data, engine = pipeline.prepare_clip(Clip(path), sound, **settings), DraftEngine()
    chunks = list(engine.decode(engine.infer(data, 3), data))
    assert all(len(chunk) <= 64 for chunk in chunks)
    return data, np.concatenate(chunks)


def offset_of(frames, sound):
    return estimate.estimate(speaking.track_frames(frames), sound)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """4 s of the sample speaking."""
    return write_clip(tmp_path_factory.mktemp("dub") / "clip.mp4", speaking_frames(100))


@pytest.fixture(scope="module")
def grey():
    return np.full((40, 256, 256, 3), 120, np.uint8)


def test_the_mouth_follows_the_new_voice(clip):
    """The clip's own mouth is 2 s off the recording that it is dubbed with."""
    sound = Sound(np.roll(speaking.speech().waveform, 2 * speaking.speech().rate, axis=1), speaking.speech().rate)
    _, frames = dubbed(clip, sound)
    found = offset_of(frames, sound)
    print(f"offset {found.offset_ms:.1f} ms, confidence {found.confidence:.2f}")
    assert abs(found.offset_ms) < 25 and found.confidence > 0.8


def test_the_rest_of_each_frame_keeps_its_bits(clip):
    data, frames = dubbed(clip, part(4.0))
    before, meshes = read_frames(clip), data["clip"].meshes
    assert frames.shape == before.shape and np.array_equal(data["clip"].order, np.arange(100))
    changed = (frames != before).any(-1)
    for mesh, where in zip(meshes, changed, strict=True):
        (x0, y0), (x1, y1) = mesh[:, :2].min(0), mesh[:, :2].max(0)
        assert not where[: int(y0 + 0.35 * (y1 - y0))].any(), "forehead and eyes"
        left, right = x0 - 0.15 * (x1 - x0) - 4, x1 + 0.15 * (x1 - x0) + 4
        assert not where[:, : max(0, int(left))].any() and not where[:, int(right) + 1 :].any()
        assert not where[int(y1 + 0.15 * (y1 - y0)) + 5 :].any()
    assert changed.any((1, 2)).mean() > 0.9


def test_a_shorter_clip_is_continued_and_said(clip):
    data, frames = dubbed(clip, part(6.0))
    order = data["clip"].order
    assert len(frames) == 150 == data["frames"] and order.max() == 99 and order[120] < 99
    assert any(note.startswith("The clip has 4.00 s and the speech 6.00 s: it ") for note in data["notes"])
    held, _ = dubbed(clip, part(5.0), clip_end=HOLD)
    assert (held["clip"].order[99:] == 99).all()
    assert "The clip has 4.00 s and the speech 5.00 s: its last frame is held." in held["notes"]
    assert not any("The clip has" in note for note in dubbed(clip, part(2.0))[0]["notes"])


def test_a_clip_without_a_face_is_refused_early(tmp_path, grey):
    clip, read = Clip(write_clip(tmp_path / "grey.mp4", grey)), []
    with pytest.raises(NoFaceError, match=r"^Cut the clip there, or choose one that shows the face from the front"):
        pipeline.prepare_clip(clip, part(1.6), progress=lambda done, total: read.append(done))
    assert read[-1] <= 20


def test_a_face_that_is_lost_is_refused_with_the_second(tmp_path, grey):
    path = write_clip(tmp_path / "lost.mp4", np.concatenate([speaking_frames(30), grey]))
    with pytest.raises(NoFaceError, match=r"from 1\.20 s on there is no face"):
        dubbed(path, part(2.8))
    data, _ = dubbed(path, part(1.2))
    assert data["frames"] == 30, "what is lost after the end of the recording does not matter"


def test_a_hidden_face_is_bridged(tmp_path):
    frames = np.array(speaking_frames(40))
    frames[20:24, 40:230, 50:210] = frames[20, 40:230, 50:210].mean((0, 1)).astype(np.uint8)
    data, out = dubbed(write_clip(tmp_path / "a.mp4", frames), part(1.6))
    assert np.isfinite(data["clip"].meshes).all() and len(out) == 40


@pytest.mark.parametrize("size", [(199, 231), (213, 255)])
def test_odd_sizes(tmp_path, size):
    frames = np.ascontiguousarray(speaking_frames(15)[:, 20 : 20 + size[0], 10 : 10 + size[1]])
    _, out = dubbed(write_clip(tmp_path / "odd.mp4", frames), part(0.6))
    assert out.shape == frames.shape


def test_a_chosen_face_is_followed(tmp_path):
    """The sample beside its mirror image: only the chosen half changes."""
    frames = speaking_frames(20)
    pair = np.ascontiguousarray(np.concatenate([frames, frames[:, :, ::-1]], 2))
    path = write_clip(tmp_path / "two.mp4", pair)
    for index in (0, 1):
        _, out = dubbed(path, part(2.0), face_index=index, face_order="left-to-right", duration=0.8)
        halves = (out != pair).any((0, 1, 3)).reshape(2, -1).any(1)
        assert halves.tolist() == [index == 0, index == 1]


def test_a_mask_is_refused(clip):
    with pytest.raises(UsageError, match="^Leave out face_mask, or give a picture instead of a clip"):
        pipeline.prepare_clip(Clip(clip), part(1.0), face_mask=np.ones((256, 256), np.float32))


def test_another_engine_refuses_a_clip(clip):
    from sonic_nodes.engines.sonic import refuse_clip

    data = pipeline.prepare_clip(Clip(clip), part(0.4))
    with pytest.raises(UsageError, match="^Choose 'built-in draft' in the Sonic Loader, or give a picture"):
        refuse_clip(data)


@pytest.mark.parametrize(("name", "voice"), [("ls1", "talk_female_english_10s.mp3"), ("wda2", "radio_english.wav")])
def test_real_clips_follow_another_voice(shared_dir, name, voice):
    sound = read_sound(shared_dir / "talking" / voice)
    _, frames = dubbed_in_chunks(shared_dir / "talking" / f"{name}.mp4", sound.part(0, 7.5))
    found = estimate.estimate(frames, sound.part(0, 7.5))
    print(f"{name}: offset {found.offset_ms:.1f} ms, confidence {found.confidence:.2f}")
    assert abs(found.offset_ms) < 25 and found.confidence > 0.8


def dubbed_in_chunks(path, sound):
    """(SONIC_PREDATA, track of the result), without all frames in memory."""
    data, engine = pipeline.prepare_clip(Clip(path), sound), DraftEngine()
    tracker, count = estimate.mouth_tracker(), 0
    for chunk in engine.decode(engine.infer(data, 3), data):
        for frame in chunk:
            tracker.update(np.ascontiguousarray(frame), count / 25)
            count += 1
    return data, tracker.track
