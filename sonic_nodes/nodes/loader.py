"""Sonic Loader: the engine that makes the frames, the built-in draft or the Sonic model from the user's files."""

import comfy.model_management
from comfy_api.latest import io

from . import model_files
from .common import CATEGORY, ModelSonic, expert, listed, part, plain_errors, words
from .model_files import AUTOMATIC

DRAFT = "built-in draft"
PRECISIONS = ["auto", "fp16", "bf16", "fp32"]


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
            "model. The Sonic model needs its weight files, which may not be used to earn money.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=[DRAFT, *listed(model_files.unets)],
                    default=DRAFT,
                    tooltip="'built-in draft', or Sonic's UNet from models/sonic (unet.pth). Only files that hold it are listed; one that "
                    "is missing here is damaged, of another model, or in another folder. Sonic's weights are for non-commercial "
                    "use only: do not sell what you make with them.",
                ),
                expert(
                    io.Combo.Input(
                        "checkpoint",
                        options=[AUTOMATIC, *listed(model_files.checkpoints)],
                        default=AUTOMATIC,
                        optional=True,
                        tooltip="The Stable Video Diffusion file in models/checkpoints (svd_xt or svd_xt_1_1), for its autoencoder and CLIP; "
                        "automatic takes the first. Its licence limits commercial use. Without effect on the draft engine.",
                    )
                ),
                expert(
                    io.Combo.Input(
                        "precision",
                        options=PRECISIONS,
                        default="auto",
                        optional=True,
                        tooltip="auto: fp16 on a graphics card, fp32 on the processor. fp32 takes twice the memory; fp16 on a processor is "
                        "slow. Choose bf16 or fp32 if pictures come out black. Without effect on the draft engine.",
                    )
                ),
                expert(
                    io.Float.Input(
                        "audio_strength",
                        default=1.0,
                        min=0.0,
                        max=2.0,
                        step=0.05,
                        optional=True,
                        tooltip="How strongly the voice acts; 1 is as the model was trained. Too low and the mouth hardly moves, too high and "
                        "it grimaces. Without effect on the draft engine.",
                    )
                ),
            ],
            outputs=[
                ModelSonic.Output(
                    "engine",
                    display_name="model",
                    tooltip="For Sonic Inference and Sonic Latent Decoder; both need the same one.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, model, checkpoint=AUTOMATIC, precision="auto"):
        if model not in (None, DRAFT) and model_files.full_path(model_files.FOLDER, model) is None:
            return f"{model_files.absent(model_files.FOLDER, model, 'unet')} Or choose '{DRAFT}'."
        if model == DRAFT:
            return True
        if checkpoint not in (None, AUTOMATIC) and model_files.full_path(model_files.CHECKPOINTS, checkpoint) is None:
            return model_files.absent(model_files.CHECKPOINTS, checkpoint, "vae")
        if precision is not None and precision not in PRECISIONS:
            return f"Set precision to one of {', '.join(PRECISIONS)}: '{precision}' is none of them."
        return True

    @classmethod
    def fingerprint_inputs(cls, model, checkpoint=AUTOMATIC, **others):
        return None if model == DRAFT else model_files.fingerprint(model, checkpoint)

    @classmethod
    @plain_errors
    def execute(cls, model, checkpoint=AUTOMATIC, precision="auto", audio_strength=1.0):
        if model == DRAFT:
            return io.NodeOutput(part("engines.draft").DraftEngine())
        models = part("nodes.model_patcher").ManagedModels(model_files.paths_for(model, checkpoint))
        engine = sonic_engine(models, precision, audio_strength)
        return io.NodeOutput(engine, ui=words(model_files.said(models.paths)))


def sonic_engine(models, precision, audio_strength):
    managed, device = part("nodes.model_patcher"), comfy.model_management.get_torch_device()
    return part("engines.sonic").SonicEngine(
        models,
        precision=precision,
        audio_strength=audio_strength,
        device=device,
        budget=lambda: managed.budget(device, models.held_bytes(device)),
    )
