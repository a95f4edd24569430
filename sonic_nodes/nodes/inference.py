"""Sonic Inference: speech and framed portrait -> latents, with progress and preview, stopped by Cancel."""

import functools
import logging

import comfy.model_management
import torch
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
    words,
)

log = logging.getLogger(__name__)

MAX_SEED = 0xFFFFFFFFFFFFFFFF


class SonicInference(io.ComfyNode):
    NODE_ID = "SonicInference"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Inference",
            category=CATEGORY,
            description="Turns the voice into movement. The same seed gives the same video. On the draft engine seed, dynamic_scale and "
            "motion_scale act; the node names the others as without effect.",
            inputs=[
                ModelSonic.Input("model", tooltip="From the Sonic Loader."),
                PreData.Input(
                    "data", tooltip="From SONIC_PreData. Data of another pack's node of that name is refused."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="Decides blinks and sway. Keep it to get the same video again; left on 'randomize', each run differs.",
                ),
                io.Int.Input(
                    "inference_steps",
                    default=25,
                    min=1,
                    max=100,
                    step=1,
                    tooltip="Denoising steps; 20 to 30. Fewer is blurred and unsteady, more only takes longer. Without effect on the "
                    "draft engine.",
                ),
                io.Float.Input(
                    "dynamic_scale",
                    default=1.1,
                    min=0.5,
                    max=2.0,
                    step=0.05,
                    tooltip="How far the mouth opens. Too low mumbles, too high shouts and shows a mouth that the portrait does not have.",
                ),
                io.Float.Input(
                    "motion_scale",
                    default=1.05,
                    min=0.5,
                    max=2.0,
                    step=0.05,
                    tooltip="How much the head sways. Too low looks pinned, too high swims and pulls at hair and collar.",
                ),
                expert(
                    io.Float.Input(
                        "appearance_guidance",
                        default=2.0,
                        min=1.0,
                        max=10.0,
                        step=0.1,
                        tooltip="How strictly frames keep to the portrait. Too high hardens colours, too low drifts. Without effect on the "
                        "draft engine.",
                    )
                ),
                expert(
                    io.Float.Input(
                        "audio_guidance",
                        default=7.5,
                        min=1.0,
                        max=20.0,
                        step=0.1,
                        tooltip="How strictly the mouth follows the voice. Too high grimaces, too low mumbles. Without effect on the draft "
                        "engine.",
                    )
                ),
            ],
            outputs=[
                io.Latent.Output(
                    "latent",
                    display_name="latent",
                    tooltip="For the Sonic Latent Decoder, with the same model and data.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @plain_errors
    def execute(cls, model, data, seed, **settings):
        check_model(model)
        check_data(data)
        latent, notes = infer(model, data, seed, cls.hidden.unique_id, **settings)
        return io.NodeOutput(latent, ui=words(notes))


def infer(model, data, seed: int, node_id: str | None, **settings):
    """(LATENT, sentences for the user)."""
    model, data = with_connected(model, data)
    chosen, progress = model.settings(**settings), Progress(node_id, "Sonic Inference")
    notes = planned(model, data, chosen, progress) if hasattr(model, "planned") else []
    latent = model.infer(data, seed, chosen, progress)
    ignored = [name for name in settings if name in model.ignored]
    notes += [f"Without effect on the {model.name} engine: {', '.join(ignored)}."] if ignored else []
    return latent, notes + list(latent["sonic"].get("notes", []))


def planned(model, data, settings, progress: Progress) -> list[str]:
    """Says under the node and in the log how the run will be done, and tells ComfyUI how much room it needs. Raises
    ResourceError with ways out when it does not fit."""
    if getattr(model, "speed", 0) is None:
        model.speed = speed_of(model.device, model.dtype)
    with part("progress").progress_callback(lambda *_: progress.check(), preview=False):
        plan = model.planned(data, settings)
    log.info("Sonic Inference: %s", "\n".join(plan.text))
    progress.say(plan.title)
    model.models.work_bytes = max(stage.held + stage.results + stage.margin for stage in plan.stages)
    return [plan.title, *plan.notes, *room_for_pictures(data)]


def room_for_pictures(data) -> list[str]:
    """What the Latent Decoder will need, said before the long work. Raises ResourceError when the machine could never
    hold it; a note when it does not fit into what is free now."""
    exchange, size = part("nodes.comfy_types"), (data["frames"], *data["image"].shape[:2])
    exchange.require_memory(*size, comfy.model_management.get_total_memory(torch.device("cpu")))
    try:
        exchange.require_memory(*size, free_memory_bytes())
    except part("errors").ResourceError as error:
        return [f"The decoder would refuse now. {error}"]
    return []


@functools.cache
def speed_of(device, dtype):
    """Measured once for each: a second or two on a processor."""
    usual = torch.float32 if device.type == "cpu" else torch.float16
    return part("memory.benchmark").calibrate(device, dtype or usual)
