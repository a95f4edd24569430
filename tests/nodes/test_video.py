"""VIDEO of this pack: frames are made while a file is written, the file carries label and workflow, and what cannot be
made is refused before the work."""

import io
import json
import sys
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

from sonic_nodes.media import boxes
from sonic_nodes.media.audio import Sound
from sonic_nodes.media.provenance import C2PA_UUID, metadata, read_back, xmp_packet
from sonic_nodes.media.video_writer import VideoWriter
from sonic_nodes.watermark.reader import find_watermarks
from tests.nodes.fake_video import ExecutionBlocker, VideoFromComponents, VideoFromFile
from tests.nodes.stub_engine import FRAMES, HEIGHT, WIDTH, Engine

TAGS = metadata("draft", 7)
TONE = {"waveform": torch.sin(torch.arange(16000) / 20)[None, None] / 4, "sample_rate": 16000}


@pytest.fixture
def video_of(nodes, data):
    """video_of(engine) -> what the decoder makes, with a label, since the test engine is none of the pack's."""

    def make(engine=None, audio=TONE, **options):
        streams, video = (sys.modules[f"sonic_nodes.nodes.{name}"] for name in ("frame_streams", "video"))
        frames = streams.DecodedFrames(engine or Engine(), {}, data, options.pop("interpolate", True), Fraction(25))
        return video.SonicVideo(frames, audio, TAGS)

    return make


def written(path):
    """(levels of the frames' centres, container's tags, seconds of sound)."""
    with av.open(str(path)) as container:
        levels = [frame.to_ndarray(format="rgb24")[8, 8].mean() for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = sum(frame.samples for frame in container.decode(audio=0)) / 16000 if container.streams.audio else 0
        return np.array(levels), dict(container.metadata), sound


def test_the_decoder_makes_a_video_without_decoding(nodes, data, comfy):
    engine = Engine()
    engine.redraws = False  # no preview of frames that take long
    images, fps, video = nodes["SonicLatentDecoder"].execute(engine, {}, data, True, "video").args
    assert engine.frames == 0 and fps == 25.0 and video.get_dimensions() == (WIDTH, HEIGHT)
    assert (video.get_frame_count(), video.get_frame_rate(), video.get_duration()) == (FRAMES, 25, FRAMES / 25)
    assert type(images) is ExecutionBlocker and images.message.startswith("Connect the output video")
    assert comfy.progress == []


def test_every_second_frame_has_half_the_rate(nodes, data):
    _, fps, video = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, False, "video").args
    assert fps == 12.5 and video.get_frame_rate() == Fraction(25, 2) and video.get_frame_count() == FRAMES // 2


def test_the_file_has_all_frames_the_sound_the_label_and_the_workflow(video_of, tmp_path, comfy):
    path = tmp_path / "a.mp4"
    workflow = {"nodes": [{"id": 1, "note": "说话"}]}
    video_of().save_to(str(path), metadata={"workflow": workflow, "prompt": {"1": {}}})
    levels, tags, sound_s = written(path)
    assert len(levels) == FRAMES and np.abs(levels - np.arange(FRAMES)).max() < 5  # 2 of them the watermark's
    assert json.loads(tags["workflow"]) == workflow and json.loads(tags["prompt"]) == {"1": {}}
    found = read_back(path)
    assert (found["engine"], found["seed"]) == ("draft", 7) and found["xmp_digital_source_type"]
    assert abs(sound_s - FRAMES / 25) < 0.15, "the sound ends with the frames"
    assert comfy.progress[0][:2] == (0, FRAMES) and comfy.progress[-1][:2] == (FRAMES, FRAMES)
    assert not any(preview for _, _, preview in comfy.progress), "Save Video would show it in place of the video"
    assert comfy.texts[-1] == (
        "saving",
        f"{FRAMES} frames of {WIDTH}x{HEIGHT}\nThe file says that it is AI-generated: engine draft, seed 7.",
    )


def test_workflow_and_prompt_are_where_comfyuis_page_reads_them(video_of, tmp_path):
    """QuickTime's metadata: names in `keys`, values in `ilst`, under a handler of type mdta."""
    video_of().save_to(str(tmp_path / "a.mp4"), metadata={"workflow": {"a": 1}, "prompt": {}})
    content = (tmp_path / "a.mp4").read_bytes()
    for name in (b"workflow", b"prompt"):
        assert content.count(b"mdta" + name) == 1
    assert b'{"a": 1}' in content and content.index(b"moov") < content.index(b"mdat")


def test_a_file_without_workflow_is_labelled_too(video_of, tmp_path):
    """Save Video passes none when ComfyUI runs with --disable-metadata."""
    video_of().save_to(str(tmp_path / "a.mp4"), format="mp4", codec="h264", metadata=None)
    assert read_back(tmp_path / "a.mp4")["seed"] == 7


def test_the_frames_are_marked_as_the_label_says_and_once(video_of, tmp_path, nodes, comfy):
    random = np.random.default_rng(0)
    picture = torch.from_numpy(random.integers(96, 160, (1, 256, 272, 3)).astype(np.float32) / 255)
    streams, video = (sys.modules[f"sonic_nodes.nodes.{name}"] for name in ("frame_streams", "video"))
    clip = video.SonicVideo(streams.ImageFrames(picture.expand(6, -1, -1, -1), 25), None, TAGS)
    clip.save_to(str(tmp_path / "a.mp4"), metadata={"prompt": {}}, crf=10.0)
    (found,) = find_watermarks(tmp_path / "a.mp4")
    assert found.payload == read_back(tmp_path / "a.mp4")["watermark"]
    again = video.opened(VideoFromFile(str(tmp_path / "a.mp4")))
    again.save_to(str(tmp_path / "b.mp4"), metadata={"prompt": {}}, crf=10.0)
    assert [mark.payload for mark in find_watermarks(tmp_path / "b.mp4")] == [found.payload]
    assert read_back(tmp_path / "b.mp4")["watermark"] == found.payload


def test_metadata_of_the_page_does_not_replace_the_label(video_of, tmp_path):
    video_of().save_to(str(tmp_path / "a.mp4"), metadata={"comment": "mine", "title": "mine"})
    assert read_back(tmp_path / "a.mp4")["seed"] == 7


def test_an_open_file_is_written_too(video_of, comfy):
    buffer = io.BytesIO()
    video_of().save_to(buffer)
    buffer.seek(0)
    with av.open(buffer) as container:
        assert container.streams.video[0].frames == FRAMES
    assert list((comfy.input_folder.parent / "temp").iterdir()) == []


def test_the_stream_source_is_one_file(video_of):
    video = video_of()
    path = video.get_stream_source()
    assert path == video.get_stream_source() and read_back(path)["seed"] == 7
    with av.open(path) as container:
        assert container.format.name == video.get_container_format()


ENCODED_BY_COMFYUI = [
    {"format": "webm"},
    {"format": "mp4", "codec": "av1"},
    {"bit_depth": 10},
    {"color_space": "HDR"},
    {"preset": "slow", "crf": 18.0},
]


@pytest.mark.parametrize("asked", ENCODED_BY_COMFYUI)
def test_other_formats_are_made_by_comfyui_from_a_labelled_file(video_of, tmp_path, asked, monkeypatch):
    monkeypatch.setattr(VideoFromFile, "saved", [])
    video_of().save_to(str(tmp_path / "a"), metadata={"prompt": {}}, **asked)
    ((source, path, options),) = VideoFromFile.saved
    expected = {"format": "auto", "codec": "auto", "metadata": {"prompt": {}}, **asked}
    assert path == str(tmp_path / "a") and options == expected and read_back(source)["seed"] == 7


def test_the_quality_asked_for_is_used(video_of, tmp_path, monkeypatch):
    def noise(*_):
        yield np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)

    engine, sizes = SimpleNamespace(decode=noise), []
    for crf in (10, 40):
        video_of(engine, audio=None).save_to(str(tmp_path / "a.mp4"), crf=crf, bit_depth=8, color_space="sRGB")
        sizes.append((tmp_path / "a.mp4").stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_cancel_while_saving_leaves_no_file(video_of, tmp_path, comfy):
    engine = Engine()
    engine.after_frame = lambda frame: setattr(comfy, "cancelled", frame == 9)
    with pytest.raises(Exception) as raised:
        video_of(engine).save_to(str(tmp_path / "a.mp4"))
    assert type(raised.value).__name__ == "Cancelled" and engine.frames == 10
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".mp4" or path.name.startswith(".")] == []


def test_errors_while_saving_show_their_message_alone(video_of, tmp_path):
    with pytest.raises(ValueError, match="^Create the folder first") as raised:
        video_of().save_to(str(tmp_path / "absent" / "a.mp4"))
    assert raised.value.__cause__ is None and raised.value.__context__ is None


def test_components_are_all_frames(video_of):
    parts = video_of().get_components()
    assert torch.equal((parts.images[:, 0, 0, 0] * 255).round(), torch.arange(FRAMES).float())
    assert parts.audio is TONE and parts.frame_rate == 25


def test_components_that_do_not_fit_are_refused_before_the_work(video_of, comfy):
    engine, comfy.free_bytes = Engine(), 1000
    with pytest.raises(ValueError, match="^Shorten the recording .* set output of the Sonic Latent Decoder to 'video'"):
        video_of(engine).get_components()
    assert engine.frames == 0


def test_frames_that_take_long_are_made_once(video_of, nodes, comfy):
    streams = sys.modules["sonic_nodes.nodes.frame_streams"]
    engine = Engine()
    kept = streams.KeptFrames(video_of(engine).frames)
    first, second = (np.concatenate(list(kept.chunks(lambda *_: None))) for _ in range(2))
    assert engine.frames == FRAMES and np.array_equal(first, second)
    bytes_ = FRAMES * HEIGHT * WIDTH * 3
    assert kept.fit(kept, 4 * bytes_) and not kept.fit(kept, 4 * bytes_ - 4)


def test_frames_that_were_not_made_to_the_end_are_not_kept(video_of):
    kept = sys.modules["sonic_nodes.nodes.frame_streams"].KeptFrames(video_of().frames)
    chunks = kept.chunks(lambda *_: None)
    next(chunks)
    chunks.close()
    assert sum(map(len, kept.chunks(lambda *_: None))) == FRAMES


# Other nodes' inputs and outputs


def test_paste_back_pastes_a_video_while_it_is_saved(nodes, data, video_of):
    data["source"][:] = 200
    engine = Engine()
    blocked, video = nodes["SonicPasteBack"].execute(video_of(engine), data, 0.1).args
    assert engine.frames == 0 and video.get_dimensions() == (300, 200) and video.tags == TAGS
    assert type(blocked) is ExecutionBlocker and "output video of Sonic Paste Back" in blocked.message
    images = nodes["SonicPasteBack"].execute(video_of().get_components().images, data, 0.1).args[0]
    assert torch.equal(video.get_components().images, images) and images.shape == (FRAMES, 200, 300, 3)


def test_paste_back_refuses_another_crop_before_the_work(nodes, data, video_of, comfy):
    square = {**data, "image": np.zeros((128, 128, 3), np.uint8), "mask": np.ones((128, 128), np.float32)}
    with pytest.raises(ValueError, match="^Connect the frames that were made from this data: .* 128x64 instead of 128"):
        nodes["SonicPasteBack"].execute(video_of(), square, 0.1)
    assert comfy.progress == []


def test_smooth_smooths_a_video_while_it_is_saved(nodes, comfy):
    from sonic_nodes.nodes.comfy_types import image_from_uint8
    from tests.smooth.test_smooth import clip

    faulty = image_from_uint8(np.stack(clip(np.random.default_rng(1), shake=0.5, flicker=0.015, noise=2)))
    streams, video = (sys.modules[f"sonic_nodes.nodes.{name}"] for name in ("frame_streams", "video"))
    given = video.SonicVideo(streams.ImageFrames(faulty, 30), TONE, TAGS)
    blocked, report, smoothed = nodes["SonicMotionSmooth"].execute(given, 0.5, False).args
    assert type(blocked) is ExecutionBlocker and report.startswith("The video is smoothed while it is saved")
    expected = nodes["SonicMotionSmooth"].execute(faulty, 0.5, False)
    assert torch.equal(smoothed.get_components().images, expected.args[0]) and smoothed.audio is TONE
    assert smoothed.frames.notes() == [expected.args[1]] and type(expected.args[2]) is ExecutionBlocker
    assert smoothed.get_frame_rate() == 30 and smoothed.tags == TAGS


def test_a_video_that_cannot_be_smoothed_is_passed_on_with_the_reason(nodes, video_of):
    small = torch.zeros(2, 2, 9000, 3)
    given = VideoFromComponents(SimpleNamespace(images=small, audio=None, frame_rate=Fraction(25)))
    _, report, video = nodes["SonicMotionSmooth"].execute(given, 0.5, True).args
    assert report.startswith("Nothing was changed: ") and torch.equal(video.get_components().images, small)
    same = video_of()
    assert nodes["SonicMotionSmooth"].execute(same, 0.0, True).args[2] is same


def test_calibrate_measures_a_video_and_gives_it_the_shifted_sound(nodes, comfy):
    from sonic_nodes.lipsync import fix
    from sonic_nodes.nodes.comfy_types import audio_from_sound, image_from_uint8
    from tests.lipsync.speaking import frames, speech

    late, images = audio_from_sound(fix.shifted(speech(), 160.0)), image_from_uint8(frames()[:110])
    given = VideoFromComponents(SimpleNamespace(images=images, audio=None, frame_rate=Fraction(25)))
    out = nodes["SonicLipSyncCalibrate"].execute(given, late, 1.0, "fix", 200.0).args
    assert out[2] == pytest.approx(160, abs=25) and out[3] >= 0.9, "fps is the video's own"
    assert type(out[0]) is ExecutionBlocker and out[5].audio is out[1] and out[1] is not late
    assert out[5].get_frame_count() == 110


def test_a_video_of_other_nodes_is_read_from_its_file(nodes, video_of, tmp_path):
    video_of().save_to(str(tmp_path / "a.mp4"), metadata={"prompt": {}})
    _, _, video = nodes["SonicMotionSmooth"].execute(VideoFromFile(str(tmp_path / "a.mp4")), 0.5, False).args
    levels = video.get_components().images[:, 8, 8, 0] * 255
    assert (levels - torch.arange(FRAMES)).abs().max() < 5  # 2 of them the watermark's
    video.save_to(str(tmp_path / "b.mp4"))
    assert read_back(tmp_path / "b.mp4")["seed"] == 7, "the label stays"
    assert abs(written(tmp_path / "b.mp4")[2] - FRAMES / 25) < 0.15


def test_the_marks_of_a_file_stay(nodes, tmp_path):
    """Those of another program too: its XMP packet as it is."""
    with VideoWriter(tmp_path / "a.mp4", 16, 16, metadata={"AIGC": '{"Label":"1"}'}, packet=b"<x/>") as writer:
        writer.write(np.zeros((50, 16, 16, 3), np.uint8))
    given = VideoFromFile(str(tmp_path / "a.mp4"))
    for video in (
        nodes["SonicMotionSmooth"].execute(given, 0.5, False).args[2],
        nodes["SonicLipSyncCalibrate"].execute(given, TONE, 25.0, "measure", 200.0).args[5],
    ):
        video.save_to(str(tmp_path / "b.mp4"), metadata={"prompt": {}})
        assert written(tmp_path / "b.mp4")[1]["AIGC"] == '{"Label":"1"}'
        with open(tmp_path / "b.mp4", "rb") as file:
            assert xmp_packet(file) == b"<x/>"


def test_the_end_of_a_signature_is_said(nodes, tmp_path, comfy):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 16, 16, metadata=TAGS) as writer:
        writer.write(np.zeros((50, 16, 16, 3), np.uint8))
    path.write_bytes(path.read_bytes() + boxes.box(b"uuid", C2PA_UUID + b"x"))
    video = nodes["SonicLipSyncCalibrate"].execute(VideoFromFile(str(path)), TONE, 25.0, "measure", 200.0).args[5]
    video.save_to(str(tmp_path / "b.mp4"))
    assert "The signature of the video (C2PA) ends here" in comfy.texts[-1][1]


def test_the_decoder_marks_its_clip(nodes, data, comfy, monkeypatch):
    monkeypatch.setenv("SONIC_AIGC", "ContentProducer=0011")
    video = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, True, "video").args[2]
    fields = json.loads(video.tags["AIGC"])
    assert (fields["Label"], fields["ContentProducer"], len(fields["ProduceID"])) == ("1", "0011", 32)


def test_a_trimmed_video_is_read_as_it_is_shown(nodes, tmp_path, monkeypatch):
    """Newer versions of ComfyUI: the stream source is the file before the trim."""

    class Trimmed(VideoFromFile):
        def get_active_trim_window(self):
            return 1.0, 2.0

        def save_to(self, path, **options):
            raise RuntimeError(path)

    with pytest.raises(RuntimeError, match="sonic_"):
        nodes["SonicMotionSmooth"].execute(Trimmed("whole.mp4"), 0.5, False)


@pytest.mark.parametrize("content", [b"", b"no video", None])
def test_a_video_that_cannot_be_read_is_refused(nodes, data, tmp_path, content):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    for name, arguments in {"SonicPasteBack": (data, 0.1), "SonicMotionSmooth": (0.5, True)}.items():
        with pytest.raises(ValueError, match="^(Choose|Check) "):
            nodes[name].execute(VideoFromFile(str(path)), *arguments)


@pytest.fixture
def draft(data):
    """(engine, its latent of the data)."""
    from sonic_nodes.engines.draft import DraftEngine

    codes = np.zeros((FRAMES, 8), np.float32)
    return DraftEngine(), {"samples": torch.zeros(1), "sonic": {"engine": "draft", "seed": 12, "codes": codes}}


def test_create_talking_video_labels_images_of_other_nodes(nodes, data, draft, tmp_path):
    data["speech"] = Sound(np.zeros((1, 16000), np.float32), 16000)
    (video,) = nodes["SonicCreateVideo"].execute(torch.zeros(5, 33, 65, 3), *draft, data, 25.0).args
    assert video.audio["waveform"].shape == (1, 1, 16000)
    (video,) = nodes["SonicCreateVideo"].execute(torch.zeros(5, 33, 65, 3), *draft, data, 25.0, TONE).args
    assert video.audio is not None and video.audio["waveform"] is TONE["waveform"]
    video.save_to(str(tmp_path / "a.mp4"))
    assert read_back(tmp_path / "a.mp4")["seed"] == 12 and len(written(tmp_path / "a.mp4")[0]) == 5


@pytest.mark.parametrize("latent", [{"samples": None}, {"sonic": {"engine": "sonic"}}])
def test_create_talking_video_refuses_a_latent_of_another_maker(nodes, data, draft, latent):
    with pytest.raises(ValueError, match="^Connect the model that made this latent"):
        nodes["SonicCreateVideo"].execute(torch.zeros(5, 32, 32, 3), draft[0], latent, data, 25.0, None)


def test_the_video_of_sonic_sampler_has_the_rate_asked_for(nodes, data):
    data["speech"] = Sound(np.zeros((1, 16000), np.float32), 16000)
    images, rate, video = nodes["SONICSampler"].execute(Engine(), data, 7, 25, 1.2, 30.0).args
    assert video.get_frame_rate() == rate == 30 and video.get_frame_count() == len(images)
    assert json.loads(video.tags["comment"])["engine"] == "test"
    assert video.audio["sample_rate"] == 16000
