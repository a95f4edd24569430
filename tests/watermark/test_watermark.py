"""The watermark: codes against plain arithmetic, frames that were compressed, scaled and cropped, unmarked ones."""

import io
import json

import av
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands.cli import main
from sonic_nodes.errors import InputError
from sonic_nodes.extension.loading import PACK
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS, find_faces
from sonic_nodes.media.provenance import metadata, read_back
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.smooth.frames import Smoother
from sonic_nodes.watermark.marker import Marker, payload_of, with_watermark
from sonic_nodes.watermark.reader import Reader, find_watermarks

PORTRAIT = PACK / "sonic_nodes" / "assets" / "sample" / "portrait.jpg"
PAYLOAD = 0xC0FFEE42


def clip(frames=25, size=(384, 384), seed=0):
    """The sample's portrait under a sensor's noise, drifting by half a pixel a frame."""
    random = np.random.default_rng(seed)
    picture = np.asarray(Image.open(PORTRAIT).convert("RGB").resize((size[0] + frames, size[1])), np.float32)
    shown = [picture[:, i // 2 : i // 2 + size[0]] for i in range(frames)]
    return np.stack([np.clip(p + random.normal(0, 1.5, p.shape), 0, 255).astype(np.uint8) for p in shown])


def read(frames, search=True):
    reader = Reader()
    for frame in frames:
        reader.add(np.ascontiguousarray(frame))
    return reader.read(search)


def coded(frames, crf):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def scaled(frames, size):
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames])


@pytest.fixture(scope="module")
def marked():
    return Marker(PAYLOAD).apply(clip())


@pytest.mark.parametrize(
    ("attack", "scale"),
    [
        (lambda f: f, 1),
        (lambda f: coded(f, 28), 1),
        (lambda f: coded(scaled(f, (288, 288)), 23), 1),
        (lambda f: coded(scaled(f, (576, 576)), 23), 1),
        (lambda f: coded(f[:, 20:366, 12:358], 23), 0.9),
        (lambda f: coded(f[::2], 23), 1),
    ],
    ids=["as it is", "CRF 28", "x 0.75", "x 1.5", "crop", "half the rate"],
)
def test_the_payload_is_read_whole(marked, attack, scale):
    found = read(attack(marked))
    assert found["found"] and found["payload"] == PAYLOAD
    assert found["scale"] == pytest.approx(scale, abs=0.004)


def test_the_place_of_a_crop_is_found(marked):
    found = read(marked[:, 20:366, 12:358])
    canonical = 256 / 384
    assert [found["x"], found["y"]] == pytest.approx([12 * canonical, 20 * canonical], abs=0.7)


def test_frames_lose_little():
    frames = clip(4)
    change = Marker(PAYLOAD).apply(frames).astype(float) - frames
    assert 10 * np.log10(255**2 / np.mean(change**2)) >= 42
    assert np.abs(change).max() <= 10


def test_the_strongest_texture_keeps_42_db():
    frames = np.random.default_rng(3).integers(30, 225, (2, 300, 420, 3), np.uint8)
    change = Marker(1).apply(frames).astype(float) - frames
    assert 10 * np.log10(255**2 / np.mean(change**2)) >= 42


def test_lips_and_eyes_are_spared(marked):
    frames = clip()
    change = np.abs(marked[0].astype(int) - frames[0]).max(-1)
    mesh = find_faces(frames[0], thorough=False)[0].mesh
    for name in ("lips_outer", "eye_left", "eye_right"):
        x, y = mesh[LANDMARKS[name], :2].mean(0).round().astype(int)
        assert change[y - 2 : y + 3, x - 2 : x + 3].max() == 0, name
    assert change[10:60, 10:60].max() > 0


@pytest.mark.parametrize("lengths", [[25], [1] * 25, [7, 18]])
def test_chunks_do_not_matter(marked, lengths):
    marker, frames = Marker(PAYLOAD), clip()
    parts = np.split(frames, np.cumsum(lengths)[:-1])
    assert np.array_equal(np.concatenate([marker.apply(part) for part in parts]), marked)


def test_the_frames_given_stay_as_they_are():
    frames = clip(2)
    before = frames.copy()
    Marker(PAYLOAD).apply(frames)
    assert np.array_equal(frames, before)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_read_from_unmarked_frames(seed):
    frames = clip(5, size=(256 + 16 * seed, 256), seed=seed)
    found = read(frames)
    assert not found["found"] and found["payload"] == 0


def test_nothing_is_read_from_noise_and_flat_frames():
    random = np.random.default_rng(5)
    for _ in range(20):
        assert not read(random.integers(0, 255, (2, 200, 260, 3), np.uint8))["found"]
    assert not read(np.full((3, 64, 64, 3), 99, np.uint8))["found"]


@pytest.mark.parametrize("payload", [0, 1, 0xFFFFFFFF, 0x80000000, 0x12345678])
def test_every_payload_comes_back(payload):
    assert read(Marker(payload).apply(clip(3)))["payload"] == payload


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (31, 17), (640, 360), (360, 900), (1200, 300)])
def test_any_size_is_marked_and_read_without_harm(size):
    frames = np.full((2, size[1], size[0], 3), 128, np.uint8)
    frames = Marker(PAYLOAD).apply(frames)
    found = read(frames)
    assert found["found"] == (min(size) >= 256)


def test_what_cannot_be_marked_or_read_is_refused():
    with pytest.raises(ValueError, match="32 bits"):
        Marker(1 << 32)
    with pytest.raises(InputError, match="8192"):
        Marker(1).apply(np.zeros((1, 1, 8193, 3), np.uint8))
    with pytest.raises(ValueError, match="Add a frame"):
        Reader().read()
    reader = Reader()
    reader.add(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="one size"):
        reader.add(np.zeros((9, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="3 channels"):
        reader.add(np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(TypeError):
        _sonic.watermark_reader_read(object(), True)


def test_a_file_says_which_watermark_it_has(tmp_path, marked):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 384, 384) as writer:
        for _ in range(3):
            writer.write(marked)
    (found,) = find_watermarks(path)
    assert found.payload == f"{PAYLOAD:08x}" and found.first_s == 0 and found.scale == 1 and found.windows == 1
    with VideoWriter(path, 384, 384) as writer:
        writer.write(clip())
    assert find_watermarks(path) == []


def test_the_payload_is_a_digest_of_the_produce_id():
    tags = metadata("draft", 7)
    labelled, marker = with_watermark({**tags, "AIGC": json.dumps({"ProduceID": "abc"})})
    assert marker.payload == payload_of("abc") == 0xBA7816BF  # FIPS 180-2, appendix B.1
    assert json.loads(labelled["comment"])["watermark"] == "ba7816bf"
    assert with_watermark(labelled)[1] is None, "a video that has one keeps it"
    assert with_watermark(tags)[1].payload == payload_of(tags["comment"])


@pytest.mark.parametrize("comment", ["", "words", "[]", '{"ai_generated": false}', "{}"])
def test_videos_of_others_are_not_marked(comment):
    assert with_watermark({"comment": comment}) == ({"comment": comment}, None)


def test_a_rendered_file_has_the_watermark_that_its_label_names(tmp_path, sample_dir):
    arguments = ["render", str(sample_dir / "portrait.jpg"), str(sample_dir / "lips.wav"), "--min-resolution", "256"]
    out = tmp_path / "a.mp4"
    assert main([*arguments, "-o", str(out), "--duration", "1.2"]) == 0
    (found,) = find_watermarks(out)
    assert found.payload == read_back(out)["watermark"] and found.pilots > 8
    smoothed = tmp_path / "b.mp4"
    assert main(["smooth", str(out), "-o", str(smoothed)]) == 0
    assert find_watermarks(smoothed)[0].payload == read_back(smoothed)["watermark"] == found.payload


def test_a_lossless_render_is_not_marked(tmp_path, sample_dir):
    arguments = ["render", str(sample_dir / "portrait.jpg"), str(sample_dir / "lips.wav"), "--min-resolution", "256"]
    out = tmp_path / "a.mp4"
    assert main([*arguments, "-o", str(out), "--duration", "0.4", "--lossless"]) == 0
    assert find_watermarks(out) == [] and "watermark" not in read_back(out)


def test_a_smoothed_clip_keeps_its_watermark(tmp_path, marked):
    """Where shake, flicker and noise are corrected, not only copied."""
    random = np.random.default_rng(4)
    frames = np.clip(marked * (1 + 0.03 * random.standard_normal((25, 1, 1, 1))), 0, 255).astype(np.uint8)
    smoother = Smoother(0.5)
    smoothed = list(smoother.run(frames))
    assert smoother.report()["flickering"] > 0 and read(smoothed)["payload"] == PAYLOAD
