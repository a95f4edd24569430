"""Sonic Loader: the engine that makes the frames, the built-in draft or the Sonic model from the user's files."""

import comfy.model_management
from comfy_api.latest import io

from ..engines.settings import PRECISIONS, SonicOptions, limits
from . import model_files
from .common import CATEGORY, ModelSonic, advanced, lazy_import, names_or_empty, notes_ui, plain_errors
from .language import in_page_language
from .link_values import listing_files
from .model_files import AUTOMATIC

DRAFT, ALL_DEVICES = "built-in draft", "all"


class SonicLoader(io.ComfyNode):
    NODE_ID = "SonicLoader"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Loader",
            category=CATEGORY,
            description="Chooses the engine. The built-in draft needs no model file and no graphics card: it moves the "
            "portrait's own mouth to the voice, faster than real time, to check framing, timing and sound first. The "
            "Sonic model needs its weight files, which are for non-commercial use only.",
            inputs=[model_input(), checkpoint_input(), precision_input(), audio_strength_input(), devices_input()],
            outputs=[
                ModelSonic.Output(
                    "engine",
                    display_name="model",
                    tooltip="Connect it to Sonic Inference and Sonic Latent Decoder; both need the same one.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, model):
        if model == DRAFT:
            return True
        problem = model_files.problem_with("model", model, model_files.FOLDER, "unet")
        return in_page_language(f"{problem} Or choose '{DRAFT}'.") if problem else True

    @classmethod
    def fingerprint_inputs(cls, model, checkpoint=AUTOMATIC, **others):
        return None if model == DRAFT else model_files.fingerprint(model, checkpoint)

    @classmethod
    @plain_errors
    def execute(cls, model, checkpoint=AUTOMATIC, precision="auto", audio_strength=1.0, devices=AUTOMATIC):
        if model == DRAFT:
            return io.NodeOutput(lazy_import("engines.draft").DraftEngine())
        paths = model_files.paths_for(model, checkpoint)
        engine = make_engine(paths, precision, audio_strength, devices == ALL_DEVICES)
        return io.NodeOutput(engine, ui=notes_ui(model_files.notes_for(paths)))


def model_input():
    return listing_files(
        io.Combo.Input(
            "model",
            options=[DRAFT, *names_or_empty(model_files.unet_names)],
            default=DRAFT,
            tooltip="'built-in draft', or Sonic's UNet in models/sonic (unet.pth). Only files that contain it are "
            "listed; one that is not is damaged, of another model, or in another folder. Sonic's weights are for "
            "non-commercial use only: do not sell what you make with them.",
        )
    )


def checkpoint_input():
    files = io.Combo.Input(
        "checkpoint",
        options=[AUTOMATIC, *names_or_empty(model_files.checkpoint_names)],
        default=AUTOMATIC,
        optional=True,
        tooltip="The Stable Video Diffusion file in models/checkpoints (svd_xt or svd_xt_1_1), for its VAE and "
        "CLIP; automatic uses the first. Its licence limits commercial use. No effect on the draft engine.",
    )
    return advanced(listing_files(files))


def precision_input():
    return advanced(
        io.Combo.Input(
            "precision",
            options=list(PRECISIONS),
            default=SonicOptions.precision,
            optional=True,
            tooltip="Number format of the networks. auto: fp16 on a graphics card, fp32 on the CPU. fp32 takes twice "
            "the memory; fp16 on a CPU is slow. Try bf16 or fp32 if frames are black. No effect on the draft engine.",
        )
    )


def audio_strength_input():
    return advanced(
        io.Float.Input(
            "audio_strength",
            **limits(SonicOptions, "audio_strength").widget(),
            optional=True,
            tooltip="How strongly the voice drives the face; 1 is the trained value. Too low: the mouth hardly moves. "
            "Too high: grimaces. No effect on the draft engine.",
        )
    )


def devices_input():
    """Appended: workflow files keep their values by position."""
    return advanced(
        io.Combo.Input(
            "devices",
            options=[AUTOMATIC, ALL_DEVICES],
            default=AUTOMATIC,
            optional=True,
            tooltip="automatic: the device that ComfyUI computes on. all: all graphics cards of its kind share the "
            "sampling of clips longer than 2 s, with the same result; the smallest card decides what fits. No effect "
            "on the draft engine.",
        )
    )


def make_engine(paths: dict, precision: str, audio_strength: float, all_devices: bool = False):
    patching, device = lazy_import("nodes.model_patcher"), comfy.model_management.get_torch_device()
    models, others = patching.PatcherBackedModels(paths), ()
    if all_devices and device.type != "cpu":
        listing = lazy_import("engines.devices")
        device, others = listing.with_index(device), listing.other_cards(device)
    return lazy_import("engines.sonic").SonicEngine(
        models,
        precision=precision,
        audio_strength=audio_strength,
        device=device,
        others=others,
        budget=lambda: patching.budget(device, models.held_bytes(device), others),
    )
