"""SONICTLoader and SONICSampler: nodes of the pack smthemex/ComfyUI_Sonic, with its inputs and outputs in its order, so
that its workflow files open and run. What differs from it on purpose stands in docs/nodes.md."""

import torch
from comfy_api.latest import io

from . import model_files
from .common import (
    CATEGORY,
    DType,
    ModelSonic,
    PreData,
    check_data,
    check_model,
    free_memory_bytes,
    listed,
    part,
    plain_errors,
    words,
)
from .decoder import FULL_RATE, decode
from .inference import infer
from .loader import sonic_engine

NONE = "none"
MAX_SEED = 2**31 - 1
DTYPES = {"fp16": torch.float16, "fp32": torch.float32, "bf16": torch.bfloat16}


class SonicTLoader(io.ComfyNode):
    NODE_ID = "SONICTLoader"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="SONICTLoader",
            category=CATEGORY,
            description="For workflows made with ComfyUI_Sonic; in new ones use the Sonic Loader. Autoencoder and CLIP are those connected "
            "to SONIC_PreData. Sonic's weights are for non-commercial use only.",
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="Not read: Sonic's own file holds the whole UNet. Leave it connected as the file has it.",
                ),
                io.Combo.Input(
                    "sonic_unet",
                    options=[NONE, *listed(model_files.unets)],
                    tooltip="Sonic's UNet from models/sonic (unet.pth). Only files that hold it are listed; 'none' stops the run. "
                    "Non-commercial use only.",
                ),
                io.Float.Input(
                    "ip_audio_scale",
                    default=1.0,
                    min=0.5,
                    max=2.0,
                    step=0.1,
                    tooltip="How strongly the voice acts; 1 is as trained. Too low and the mouth hardly moves, too high and it grimaces.",
                ),
                io.Boolean.Input(
                    "use_interframe",
                    default=True,
                    tooltip="On: a picture is made between every two, 25 a second. Off: 12.5 a second, which looks choppy; the fps output "
                    "says so.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=list(DTYPES),
                    default="fp16",
                    tooltip="Precision of the networks. fp32 takes twice the memory; fp16 on a processor is slow.",
                ),
            ],
            outputs=[
                ModelSonic.Output(
                    "engine", display_name="model", tooltip="For SONICSampler, or Sonic Inference and Latent Decoder."
                ),
                DType.Output(
                    "weight_dtype", display_name="weight_dtype", tooltip="For SONIC_PreData, where it has no effect."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, sonic_unet, dtype="fp16"):
        if sonic_unet == NONE:
            return "Choose Sonic's UNet (unet.pth) as sonic_unet: it is 'none'."
        if sonic_unet is not None and model_files.full_path(model_files.FOLDER, sonic_unet) is None:
            return model_files.absent(model_files.FOLDER, sonic_unet, "unet")
        if dtype is not None and dtype not in DTYPES:
            return f"Set dtype to one of {', '.join(DTYPES)}: '{dtype}' is none of them."
        return True

    @classmethod
    def fingerprint_inputs(cls, sonic_unet, **others):
        return model_files.fingerprint(sonic_unet, None)

    @classmethod
    @plain_errors
    def execute(cls, model, sonic_unet, ip_audio_scale, use_interframe, dtype):
        models = part("nodes.model_patcher").ManagedModels(model_files.paths_for(sonic_unet, None))
        engine = sonic_engine(models, dtype, ip_audio_scale)
        engine.interpolate = use_interframe
        return io.NodeOutput(engine, DTYPES[dtype], ui=words(model_files.said(models.paths)))


class SonicTSampler(io.ComfyNode):
    NODE_ID = "SONICSampler"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="SONICSampler",
            category=CATEGORY,
            description="For workflows made with ComfyUI_Sonic: Sonic Inference and Sonic Latent Decoder in one. In new ones use these.",
            inputs=[
                ModelSonic.Input("model", tooltip="From SONICTLoader or the Sonic Loader."),
                PreData.Input(
                    "data_dict", tooltip="From SONIC_PreData. Data of another pack's node of that name is refused."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="Keep it to get the same video again; left on 'randomize', each run differs.",
                ),
                io.Int.Input(
                    "inference_steps",
                    default=25,
                    min=1,
                    max=1024,
                    step=1,
                    tooltip="Denoising steps; 20 to 30. Fewer is blurred and unsteady, more only takes longer.",
                ),
                io.Float.Input(
                    "dynamic_scale",
                    default=1.0,
                    min=0.5,
                    max=2.0,
                    step=0.1,
                    tooltip="How far mouth and head move. Too low mumbles, too high shouts.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=5.0,
                    max=120.0,
                    step=0.5,
                    tooltip="Pictures a second of the result. The model makes 25; at another number pictures are shown twice or left out, "
                    "so that the lips stay with the voice. 25 is smoothest.",
                ),
            ],
            outputs=[
                io.Image.Output("pictures", display_name="image", tooltip="All pictures of the clip."),
                io.Float.Output("rate", display_name="fps", tooltip="Pictures a second, for Create Video."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, model, data_dict, seed, inference_steps, dynamic_scale, fps):
        check_model(model)
        check_data(data_dict)
        node_id = cls.hidden.unique_id
        settings = {"inference_steps": inference_steps, "dynamic_scale": dynamic_scale, "motion_scale": 1.0}
        latent, notes = infer(model, data_dict, seed, node_id, **settings)
        images, rate = decode(model, latent, data_dict, getattr(model, "interpolate", True), node_id)
        if fps == rate:
            return io.NodeOutput(images, rate, ui=words(notes))
        if rate != FULL_RATE:
            notes.append(
                f"use_interframe is off: {rate:g} pictures a second, not {fps:g}. Connect the fps output to Create Video."
            )
            return io.NodeOutput(images, rate, ui=words(notes))
        exchange = part("nodes.comfy_types")
        order = exchange.resampled(len(images), rate, fps)
        exchange.require_memory(len(order), *images.shape[1:3], free_memory_bytes())
        notes.append(
            f"The model makes {rate:g} pictures a second; for {fps:g} some were {'shown twice' if fps > rate else 'left out'}."
        )
        return io.NodeOutput(images[order], fps, ui=words(notes))
