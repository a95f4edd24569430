"""Sonic Latent Decoder: latents -> frames, chunk by chunk into system memory."""

from comfy_api.latest import io

from ..models.constants import FPS
from .comfy_models import with_comfy_models
from .common import CATEGORY, ModelSonic, PreData, Progress, advanced, free_memory_bytes, lazy_import, plain_errors


class SonicLatentDecoder(io.ComfyNode):
    NODE_ID = "SonicLatentDecoder"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Latent Decoder",
            category=CATEGORY,
            description="Decodes the latent into frames, 25 per second, chunk by chunk into system memory. Stops "
            "before it starts when they do not fit.",
            inputs=[
                ModelSonic.Input("model", tooltip="The model that made the latent; another engine is refused."),
                io.Latent.Input("latent", tooltip="From Sonic Inference. A latent of another model is refused."),
                PreData.Input(
                    "data", tooltip="The data that made the latent; other data draws this mouth on another face."
                ),
                advanced(
                    io.Boolean.Input(
                        "interpolate",
                        default=True,
                        tooltip="On: 25 frames per second. Off: every second frame, 12.5 per second, which looks "
                        "choppy; connect fps to Create Video, or video and sound run apart.",
                    )
                ),
            ],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="All frames of the clip."),
                io.Float.Output(
                    "fps",
                    display_name="fps",
                    tooltip="Frames per second: connect it to Create Video, or video and sound run apart.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, model, latent, data, interpolate=True):
        return io.NodeOutput(*decode(model, latent, data, interpolate, cls.hidden.unique_id))


def decode(model, latent, data, interpolate: bool, node_id: str | None):
    """(IMAGE, frames per second)."""
    types = lazy_import("nodes.comfy_types")
    height, width = data["image"].shape[:2]
    stride = 1 if interpolate else 2
    count = -(-data["frames"] // stride)
    types.require_memory(count, height, width, free_memory_bytes())
    model, data = with_comfy_models(model, data)
    progress = Progress(node_id, "Sonic Latent Decoder")
    # Before the first preview: the page draws text that arrives after a preview on top of it.
    progress.set_headline(f"{count} frames of {width}x{height}")
    chunks = types.with_progress(model.decode(latent, data, progress, interpolate), count, progress)
    return types.image_from_chunks(chunks, count, height, width), FPS / stride
