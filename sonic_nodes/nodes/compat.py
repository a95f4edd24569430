"""SONICTLoader and SONICSampler: nodes of the pack smthemex/ComfyUI_Sonic with its inputs and outputs in its order, so
that its workflow files open and run. docs/nodes.md lists the intended differences."""

import torch
from comfy_api.latest import io

from ..engines.settings import (
    COMPAT_AUDIO_STRENGTH,
    COMPAT_DYNAMIC_SCALE,
    COMPAT_SEED,
    SharedSettings,
    SonicOptions,
    SonicSettings,
    limits,
)
from ..models.constants import FPS
from . import model_files
from .common import (
    CATEGORY,
    DType,
    ModelSonic,
    PreData,
    Progress,
    free_memory_bytes,
    lazy_import,
    names_or_empty,
    notes_ui,
    plain_errors,
)
from .decoder import decoded
from .frame_streams import ImageFrames
from .inference import infer
from .language import in_page_language
from .link_values import allowing, listing_files
from .loader import make_engine

NONE = "none"
DTYPES = {"fp16": torch.float16, "fp32": torch.float32, "bf16": torch.bfloat16}


class SonicTLoader(io.ComfyNode):
    NODE_ID = "SONICTLoader"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="SONICTLoader",
            category=CATEGORY,
            description="For workflows made with ComfyUI_Sonic; in new ones use the Sonic Loader. VAE and CLIP are "
            "those connected to SONIC_PreData. Sonic's weights are for non-commercial use only.",
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="Not used: Sonic's own file contains the whole UNet. Keep the workflow's connection.",
                ),
                listing_files(
                    io.Combo.Input(
                        "sonic_unet",
                        options=[NONE, *names_or_empty(model_files.unet_names)],
                        tooltip="Sonic's UNet in models/sonic (unet.pth). Only files that contain it are listed; "
                        "'none' stops the run. Non-commercial use only.",
                    )
                ),
                *cls.setting_inputs(),
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

    @staticmethod
    def setting_inputs():
        return [
            allowing(
                io.Float.Input(
                    "ip_audio_scale",
                    **COMPAT_AUDIO_STRENGTH.widget(),
                    tooltip="How strongly the voice drives the face; 1 is the trained value. Too low: the mouth hardly "
                    "moves. Too high: grimaces.",
                ),
                limits(SonicOptions, "audio_strength"),
            ),
            io.Boolean.Input(
                "use_interframe",
                default=True,
                tooltip="On: 25 frames per second, every second one interpolated. Off: 12.5, which looks choppy; the "
                "fps output is then 12.5.",
            ),
            io.Combo.Input(
                "dtype",
                options=list(DTYPES),
                default="fp16",
                tooltip="Number format of the networks. fp32 takes twice the memory; fp16 on a CPU is slow.",
            ),
        ]

    @classmethod
    def validate_inputs(cls, sonic_unet):
        if sonic_unet == NONE:
            return in_page_language("Choose Sonic's UNet (unet.pth) as sonic_unet: it is 'none'.")
        problem = model_files.problem_with("sonic_unet", sonic_unet, model_files.FOLDER, "unet")
        return in_page_language(problem) if problem else True

    @classmethod
    def fingerprint_inputs(cls, sonic_unet, **others):
        return model_files.fingerprint(sonic_unet, None)

    @classmethod
    @plain_errors
    def execute(cls, model, sonic_unet, ip_audio_scale, use_interframe, dtype):
        paths = model_files.paths_for(sonic_unet, None)
        engine = make_engine(paths, dtype, ip_audio_scale)
        engine.interpolate = use_interframe
        return io.NodeOutput(engine, DTYPES[dtype], ui=notes_ui(model_files.notes_for(paths)))


class SonicTSampler(io.ComfyNode):
    NODE_ID = "SONICSampler"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="SONICSampler",
            category=CATEGORY,
            description="For workflows made with ComfyUI_Sonic: Sonic Inference and Sonic Latent Decoder in one node. "
            "In new workflows use those two.",
            inputs=[
                ModelSonic.Input("model", tooltip="From SONICTLoader or the Sonic Loader."),
                PreData.Input("data_dict", tooltip="From SONIC_PreData of this pack; another pack's data is refused."),
                *cls.setting_inputs(),
            ],
            outputs=[
                io.Image.Output("pictures", display_name="image", tooltip="All frames of the clip."),
                io.Float.Output("rate", display_name="fps", tooltip="Frames per second, for Create Video."),
                io.Video.Output(
                    "video", display_name="video", tooltip="The clip with its sound and its label, for Save Video."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @staticmethod
    def setting_inputs():
        return [
            allowing(
                io.Int.Input(
                    "seed",
                    **COMPAT_SEED.widget(),
                    control_after_generate=True,
                    tooltip="Keep it to repeat a video; with 'randomize' each run differs.",
                ),
                limits(SharedSettings, "seed"),
            ),
            io.Int.Input(
                "inference_steps",
                **limits(SonicSettings, "steps").widget(),
                tooltip="Denoising steps, usually 20 to 30. Fewer: blurred and unsteady. More: only slower.",
            ),
            io.Float.Input(
                "dynamic_scale",
                **COMPAT_DYNAMIC_SCALE.widget(),
                tooltip="How far mouth and head move. Too low: mumbling. Too high: shouting.",
            ),
            io.Float.Input(
                "fps",
                **limits(SharedSettings, "fps").widget(),
                tooltip="Frames per second of the result; 25 is smoothest. The model makes 25; for other values frames "
                "are repeated or dropped, so that lips and voice stay in sync.",
            ),
        ]

    @classmethod
    @plain_errors
    def execute(cls, model, data_dict, seed, inference_steps, dynamic_scale, fps):
        node_id = cls.hidden.unique_id
        settings = {"inference_steps": inference_steps, "dynamic_scale": dynamic_scale, "motion_scale": 1.0}
        latent, notes = infer(model, data_dict, seed, node_id, **settings)
        video = decoded(model, latent, data_dict, model.interpolate)
        images = video.images(Progress(node_id, "SONICSampler"))
        images, rate, rate_notes = at_rate(images, float(video.frames.fps), fps)
        video = video.with_frames(ImageFrames(images, rate))
        return io.NodeOutput(images, rate, video, ui=notes_ui(notes + rate_notes))


def at_rate(images, rate: float, fps: float):
    """(IMAGE, its frames per second, notes) at `fps` where possible. Frames without interpolation keep their rate."""
    if fps == rate:
        return images, rate, []
    if rate != FPS:
        note = f"Connect the fps output to Create Video: use_interframe is off, so there are {rate:g} frames per second"
        return images, rate, [f"{note}, not {fps:g}."]
    types = lazy_import("nodes.comfy_types")
    order = types.resample_indices(len(images), rate, fps)
    types.require_memory(len(order), *images.shape[1:3], free_memory_bytes())
    change = "repeated" if fps > rate else "dropped"
    return images[order], fps, [f"The model makes {rate:g} frames per second; for {fps:g} some were {change}."]
