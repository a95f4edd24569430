"""Paste Back: puts the speaking crop back into the whole portrait."""

from comfy_api.latest import io

from ..engines.settings import SharedSettings, limits
from ..models.constants import FPS
from .common import CATEGORY, PreData, Progress, clip_input, images_blocked, lazy_import, plain_errors, video_blocked
from .frame_streams import ImageFrames, PastedFrames
from .link_values import is_video
from .video import SonicVideo, opened


class SonicPasteBack(io.ComfyNode):
    NODE_ID, TITLE = "SonicPasteBack", "Sonic Paste Back"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name=cls.TITLE,
            category=CATEGORY,
            description="Puts the speaking crop back into the whole portrait, with a soft edge. An odd last row or "
            "column of the portrait is cut off, because H.264 video needs even sizes.",
            inputs=[
                clip_input(
                    "images",
                    tooltip="The images or the video of the Sonic Latent Decoder, not resized; frames of another crop "
                    "are refused.",
                ),
                PreData.Input(
                    "data",
                    tooltip="The data that the frames were made from; other data pastes them in the wrong place.",
                ),
                io.Float.Input(
                    "feather",
                    **limits(SharedSettings, "feather").widget(),
                    tooltip="Width of the soft edge, as a share of the crop. 0 may show a seam; too wide blends in the "
                    "still head.",
                ),
            ],
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

    @classmethod
    @plain_errors
    def execute(cls, images, data, feather):
        if is_video(images):
            video = opened(images)
            return io.NodeOutput(
                images_blocked(cls.TITLE), video.with_frames(PastedFrames(video.frames, data, feather))
            )
        images = lazy_import("nodes.comfy_types").check_clip(images, "images")
        pasted = SonicVideo(PastedFrames(ImageFrames(images, FPS), data, feather), None, {})
        return io.NodeOutput(pasted.images(Progress(cls.hidden.unique_id, cls.TITLE)), video_blocked(cls.TITLE))
