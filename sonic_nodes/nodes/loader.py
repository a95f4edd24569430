"""Sonic Loader: the engine that makes the frames. So far the built-in draft engine."""
from comfy_api.latest import io

from .parts import CATEGORY, ModelSonic, part, plain_errors

DRAFT = "built-in draft"


class SonicLoader(io.ComfyNode):
    NODE_ID = "SonicLoader"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Loader",
            category=CATEGORY,
            description="Chooses the engine. The built-in draft needs no model file and no graphics card: it moves the portrait's own "
                        "mouth to the voice, faster than real time, and shows framing, timing and sound before minutes are spent on a "
                        "model.",
            inputs=[
                io.Combo.Input(
                    "model", options=[DRAFT], default=DRAFT,
                    tooltip="The engine. 'built-in draft' is the only one in this version; a file name kept in an older workflow is "
                            "refused."),
            ],
            outputs=[
                ModelSonic.Output(
                    "engine", display_name="model", tooltip="For Sonic Inference and Sonic Latent Decoder; both need the same one."),
            ],
        )

    @classmethod
    def validate_inputs(cls, model):
        if model is not None and model != DRAFT:
            return f"Choose '{DRAFT}' as the model: '{model}' is not an engine of this version."
        return True

    @classmethod
    @plain_errors
    def execute(cls, model):
        return io.NodeOutput(part("engines.draft").DraftEngine())
