"""Create Talking Video: images of other nodes, a sound and the label of the clip that they come from, as VIDEO."""

from comfy_api.latest import io

from ..engines.settings import SharedSettings, limits
from .common import CATEGORY, ModelSonic, PreData, lazy_import, plain_errors
from .decoder import decoded
from .frame_streams import ImageFrames


class SonicCreateVideo(io.ComfyNode):
    NODE_ID = "SonicCreateVideo"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Create Talking Video",
            category=CATEGORY,
            description="Makes a video of images that other nodes have changed, with the label that says that it is "
            "AI-generated. ComfyUI's Create Video writes no label.",
            inputs=[
                io.Image.Input("images", tooltip="The frames of the clip, for example after an upscaler."),
                ModelSonic.Input("model", tooltip="The model that made the latent; the label names it."),
                io.Latent.Input("latent", tooltip="From Sonic Inference: the label names its seed and settings."),
                PreData.Input("data", tooltip="The data that made the latent; its speech is the sound."),
                io.Float.Input(
                    "fps",
                    **limits(SharedSettings, "fps").widget(),
                    tooltip="Frames per second. Connect it from the Sonic Latent Decoder, or video and sound run "
                    "apart.",
                ),
                io.Audio.Input("audio", optional=True, tooltip="Another sound, for example of Lip-sync Calibrate."),
            ],
            outputs=[io.Video.Output("video", display_name="video", tooltip="The labelled video, for Save Video.")],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, model, latent, data, fps=25.0, audio=None):
        images = lazy_import("nodes.comfy_types").check_clip(images, "images")
        video = decoded(model, latent, data, True).with_frames(ImageFrames(images, fps))
        return io.NodeOutput(video if audio is None else video.with_audio(audio))
