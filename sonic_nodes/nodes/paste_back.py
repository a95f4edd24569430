"""Paste Back: puts the speaking crop back into the whole portrait, or into the frames of another clip of it."""

from comfy_api.latest import io

from ..engines.settings import SharedSettings, limits
from ..models.constants import FPS
from .common import (
    CATEGORY,
    PreData,
    Progress,
    clip_input,
    images_blocked,
    lazy_import,
    notes_ui,
    plain_errors,
    video_blocked,
)
from .frame_streams import FrameStream, ImageFrames
from .link_values import is_video
from .pasted_frames import CutFrames, LayeredFrames, PastedFrames, check_shape, whole_size
from .video import SonicVideo, opened


class SonicPasteBack(io.ComfyNode):
    NODE_ID, TITLE = "SonicPasteBack", "Sonic Paste Back"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
            category=CATEGORY,
            description="Puts the speaking crop back into the whole portrait, with a soft edge, or into a clip in "
            "which another face speaks. An odd last row or column of the portrait is cut off, because H.264 video "
            "needs even sizes.",
            inputs=cls.inputs(),
            outputs=[
                io.Image.Output("portrait", display_name="images", tooltip="The whole portrait, speaking."),
                io.Video.Output(
                    "video",
                    display_name="video",
                    tooltip="The same as a video, pasted while it is saved, when a video is connected to images.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @staticmethod
    def inputs():
        return [
            clip_input(
                "images",
                tooltip="The images or the video of the Sonic Latent Decoder, not resized; frames of another crop "
                "are refused.",
            ),
            PreData.Input(
                "data", tooltip="The data that the frames were made from; other data pastes them in the wrong place."
            ),
            io.Float.Input(
                "feather",
                **limits(SharedSettings, "feather").widget(),
                tooltip="Width of the soft edge, as a share of the crop. 0 may show a seam; too wide blends in the "
                "still head.",
            ),
            clip_input(
                "onto",
                optional=True,
                tooltip="For two speakers: the clip of another Paste Back of the same picture, instead of the still "
                "picture. The shorter clip holds its last frame; the recordings of two videos are mixed.",
            ),
        ]

    @classmethod
    @plain_errors
    def execute(cls, images, data, feather, onto=None):
        types = lazy_import("nodes.comfy_types")
        video = opened(images) if is_video(images) else None
        frames = video.frames if video else ImageFrames(types.check_clip(images, "images"), FPS)
        below = clip_below(onto, frames.fps)
        pasted = whole_frames(frames, data, feather, below)
        ui = notes_ui(held_notes(frames, below.frames) if below else [])
        if video:
            return io.NodeOutput(images_blocked(cls.TITLE), together(video, below, pasted), ui=ui)
        pictures = SonicVideo(pasted, None, {}).images(Progress(cls.hidden.unique_id, cls.TITLE))
        return io.NodeOutput(pictures, video_blocked(cls.TITLE), ui=ui)


def clip_below(onto, fps) -> SonicVideo | None:
    """The clip in the input `onto`; images have the rate of those above them."""
    if onto is None:
        return None
    if is_video(onto):
        return opened(onto)
    return SonicVideo(ImageFrames(lazy_import("nodes.comfy_types").check_clip(onto, "onto"), fps), None, {})


def whole_frames(frames: FrameStream, data: dict, feather: float, below: SonicVideo | None) -> FrameStream:
    """The frames in the whole portrait. Those of a wide crop show it already."""
    if below is None:
        if not data["paste_back"]:
            return PastedFrames(frames, data, feather)
        check_shape(frames, *whole_size(data))
        return frames
    return LayeredFrames(CutFrames(frames, data) if data["paste_back"] else frames, below.frames, data, feather)


def held_notes(above: FrameStream, below: FrameStream) -> list[str]:
    """Which of two clips ends first, as a sentence."""
    if abs(above.duration_s - below.duration_s) < 1 / float(above.fps):
        return []
    shorter, name = (above, "images") if above.duration_s < below.duration_s else (below, "onto")
    longer = max(above.duration_s, below.duration_s)
    return [f"{name} has {shorter.duration_s:.2f} s and holds its last frame until {longer:.2f} s."]


def together(video: SonicVideo, below: SonicVideo | None, frames: FrameStream) -> SonicVideo:
    """The frames with the sound of both clips; the tags of the upper one count."""
    provenance = lazy_import("media.provenance")
    if below is None:
        return video.with_tags(provenance.as_pasted(video.tags)).with_frames(frames)
    types, sounds = lazy_import("nodes.comfy_types"), [v.audio for v in (video, below) if v.audio is not None]
    if len(sounds) == 2:
        first, second = (types.sound_from_audio(audio)[0] for audio in sounds)
        sounds = [types.audio_from_sound(lazy_import("media.mixed").mixed(first, second))]
    tags = provenance.layered(video.tags, below.tags)
    packet = b"" if provenance.record_of(tags) else video.packet or below.packet
    return SonicVideo(frames, sounds[0] if sounds else None, tags, packet)
