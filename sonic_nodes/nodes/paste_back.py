"""Paste Back: the speaking crop, put back into the whole portrait."""

from comfy_api.latest import io

from .common import CATEGORY, PreData, Progress, check_data, free_memory_bytes, part, plain_errors


class SonicPasteBack(io.ComfyNode):
    NODE_ID = "SonicPasteBack"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Paste Back",
            category=CATEGORY,
            description="Puts the speaking crop back into the whole portrait, with a soft edge. An odd last row or column of the "
            "portrait is left out, because video cannot store it.",
            inputs=[
                io.Image.Input(
                    "images",
                    tooltip="From the Sonic Latent Decoder, in its size; pictures of another crop are refused.",
                ),
                PreData.Input(
                    "data",
                    tooltip="The same data that the pictures were made from; other data pastes them in the wrong place.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.1,
                    min=0.0,
                    max=0.5,
                    step=0.01,
                    tooltip="Width of the soft edge, as a share of the crop. 0 can show a seam; too wide lets the still head shine "
                    "through.",
                ),
            ],
            outputs=[io.Image.Output("portrait", display_name="images", tooltip="The whole portrait, speaking.")],
        )

    @classmethod
    @plain_errors
    def execute(cls, images, data, feather):
        check_data(data)
        exchange, pipeline = part("nodes.comfy_types"), part("pipeline")
        height, width = exchange.even_size(*data["source"].shape[:2])
        exchange.require_memory(len(images), height, width, free_memory_bytes())
        pasted = (pipeline.paste_back(chunk, data, feather)[:, :height, :width] for chunk in exchange.chunks_of(images))
        watched = exchange.with_progress(pasted, len(images), Progress())
        return io.NodeOutput(exchange.image_from_chunks(watched, len(images), height, width))
