"""Sonic Latent Decoder: latents -> pictures, chunk by chunk into system memory."""

from comfy_api.latest import io

from .comfy_models import with_connected
from .common import (
    CATEGORY,
    ModelSonic,
    PreData,
    Progress,
    check_data,
    check_model,
    expert,
    free_memory_bytes,
    part,
    plain_errors,
)

FULL_RATE = 25.0  # pictures a second


class SonicLatentDecoder(io.ComfyNode):
    NODE_ID = "SonicLatentDecoder"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Latent Decoder",
            category=CATEGORY,
            description="Draws the pictures, 25 a second, in chunks straight into system memory. Says before it starts when they do not "
            "fit.",
            inputs=[
                ModelSonic.Input("model", tooltip="The same model that made the latent; another engine's is refused."),
                io.Latent.Input("latent", tooltip="From Sonic Inference. A latent of another model is refused."),
                PreData.Input(
                    "data", tooltip="The same data that made the latent; other data puts this mouth on another face."
                ),
                expert(
                    io.Boolean.Input(
                        "interpolate",
                        default=True,
                        tooltip="On: 25 pictures a second. Off: every second one, 12.5 a second, which looks choppy; connect fps to Create "
                        "Video or picture and sound run apart.",
                    )
                ),
            ],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="All pictures of the clip."),
                io.Float.Output(
                    "fps",
                    display_name="fps",
                    tooltip="Pictures a second: connect it to Create Video, else picture and sound run apart.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, model, latent, data, interpolate=True):
        check_model(model)
        check_data(data)
        return io.NodeOutput(*decode(model, latent, data, interpolate, cls.hidden.unique_id))


def decode(model, latent, data, interpolate: bool, node_id: str | None):
    """(IMAGE, pictures a second)."""
    exchange = part("nodes.comfy_types")
    height, width = data["image"].shape[:2]
    every = 1 if interpolate else 2
    count = -(-data["frames"] // every)
    exchange.require_memory(count, height, width, free_memory_bytes())
    model, data = with_connected(model, data)
    progress = Progress(node_id, "Sonic Latent Decoder")
    # at once: a page puts words that come after a picture on top of it
    progress.say(f"{count} pictures of {width}x{height}")
    chunks = exchange.with_progress(model.decode(latent, data, progress, interpolate), count, progress)
    return exchange.image_from_chunks(chunks, count, height, width), FULL_RATE / every
