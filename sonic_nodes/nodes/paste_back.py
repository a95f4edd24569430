"""Paste Back: puts the speaking crop back into the whole portrait."""

from comfy_api.latest import io

from ..engines.settings import SharedSettings, limits
from .common import CATEGORY, PreData, Progress, free_memory_bytes, lazy_import, plain_errors


class SonicPasteBack(io.ComfyNode):
    NODE_ID = "SonicPasteBack"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Paste Back",
            category=CATEGORY,
            description="Puts the speaking crop back into the whole portrait, with a soft edge. An odd last row or "
            "column of the portrait is cut off, because H.264 video needs even sizes.",
            inputs=[
                io.Image.Input(
                    "images", tooltip="From the Sonic Latent Decoder, not resized; frames of another crop are refused."
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
            outputs=[io.Image.Output("portrait", display_name="images", tooltip="The whole portrait, speaking.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, data, feather):
        types, pipeline = lazy_import("nodes.comfy_types"), lazy_import("pipeline")
        images = types.check_clip(images, "images")
        height, width = types.even_size(*data["source"].shape[:2])
        types.require_memory(len(images), height, width, free_memory_bytes())
        progress = Progress(cls.hidden.unique_id, "Sonic Paste Back")
        given = types.uint8_chunks(images, height * width * 3)
        pasted = (pipeline.paste_back(chunk, data, feather)[:, :height, :width] for chunk in given)
        chunks = types.with_progress(pasted, len(images), progress)
        return io.NodeOutput(types.image_from_chunks(chunks, len(images), height, width))
