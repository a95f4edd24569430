"""Sonic Inference: speech and framed portrait -> latents, with progress, preview and Cancel."""

import logging

from comfy_api.latest import io

from ..engines.settings import STEPS_WIDGET, SharedSettings, SonicSettings, limits
from .comfy_models import with_comfy_models
from .common import (
    CATEGORY,
    MIN_ELAPSED_S,
    ModelSonic,
    PreData,
    Progress,
    advanced,
    duration_text,
    free_memory_bytes,
    lazy_import,
    notes_ui,
    plain_errors,
)
from .link_values import allowing

log = logging.getLogger(__name__)


class SonicInference(io.ComfyNode):
    NODE_ID = "SonicInference"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Inference",
            category=CATEGORY,
            description="Turns the voice into movement of mouth and head. The same seed gives the same video. The "
            "draft engine uses seed, dynamic_scale and motion_scale only; the node lists the inputs it ignored.",
            inputs=[
                ModelSonic.Input("model", tooltip="From the Sonic Loader."),
                PreData.Input("data", tooltip="From SONIC_PreData of this pack; another pack's data is refused."),
                *sampling_inputs(),
                *guidance_inputs(),
                speed_input(),
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
        latent, notes = infer(model, data, seed, cls.hidden.unique_id, **settings)
        return io.NodeOutput(latent, ui=notes_ui(notes))


def sampling_inputs():
    return [
        io.Int.Input(
            "seed",
            **limits(SharedSettings, "seed").widget(),
            control_after_generate=True,
            tooltip="Random numbers, such as when the eyes blink. Keep it to repeat a video; with 'randomize' each run "
            "differs.",
        ),
        allowing(
            io.Int.Input(
                "inference_steps",
                **STEPS_WIDGET.widget(),
                tooltip="Denoising steps, usually 20 to 30. Fewer: blurred and unsteady. More: only slower. No effect "
                "on the draft engine.",
            ),
            limits(SonicSettings, "steps"),
        ),
        io.Float.Input(
            "dynamic_scale",
            **limits(SonicSettings, "dynamic_scale").widget(),
            tooltip="How far the mouth opens. Too low: mumbling. Too high: shouting, and an inside of the mouth that "
            "the portrait does not have.",
        ),
        io.Float.Input(
            "motion_scale",
            **limits(SonicSettings, "motion_scale").widget(),
            tooltip="How much the head sways. Too low: looks pinned. Too high: floats, and distorts hair and collar.",
        ),
    ]


def guidance_inputs():
    return [
        advanced(
            io.Float.Input(
                "appearance_guidance",
                **limits(SonicSettings, "appearance_guidance").widget(),
                tooltip="How closely frames follow the portrait. Too high: harsh colours. Too low: the face drifts. No "
                "effect on the draft engine.",
            )
        ),
        advanced(
            io.Float.Input(
                "audio_guidance",
                **limits(SonicSettings, "audio_guidance").widget(),
                tooltip="How closely the mouth follows the voice. Too high: grimaces. Too low: mumbling. No effect on "
                "the draft engine.",
            )
        ),
    ]


def speed_input():
    """Appended: workflow files keep their values by position."""
    return io.Combo.Input(
        "speed",
        options=list(limits(SonicSettings, "speed").options),
        default=limits(SonicSettings, "speed").default,
        tooltip="exact: as the model was published. balanced: about 60 % of the work; voice and portrait guide only "
        "the steps that shape mouth and face. fast: about a third; every second step also reuses most of the last "
        "one, which is all that shared-features does. fp16-accumulation: sums in fp16, which GeForce RTX cards do "
        "faster; fast-fp16: fast with it. Try them on a short clip first: how much quality they cost was never "
        "measured with the real weights. No effect on the draft engine.",
        optional=True,
    )


def infer(model, data, seed: int, node_id: str | None, **settings):
    """(LATENT, notes for the user)."""
    model, data = with_comfy_models(model, data)
    chosen, usage = model.settings(**settings), lazy_import("memory.usage").Usage(model.device)
    progress = Progress(node_id, "Sonic Inference", usage=usage)
    notes = show_plan(model, data, chosen, progress)
    latent = model.infer(data, seed, chosen, progress)
    ignored = [name for name in settings if name in model.ignored]
    notes += [f"No effect on the {model.name} engine: {', '.join(ignored)}."] if ignored else []
    return latent, [*notes, *latent["sonic"].get("notes", []), *usage_notes(progress)]


def usage_notes(progress: Progress) -> list[str]:
    """What a run took, where it was long enough for anyone to ask."""
    elapsed_s, usage = progress.elapsed_s(), progress.usage
    if elapsed_s < MIN_ELAPSED_S or usage.peak is None:
        return []
    return [f"This run took {duration_text(elapsed_s)}, and {lazy_import('memory.plan').size(usage.peak)} of memory."]


def show_plan(model, data, settings, progress: Progress) -> list[str]:
    """Shows the plan under the node, logs it, and tells ComfyUI how much memory the run needs. Returns the notes;
    raises ResourceError with alternatives when the run does not fit. An engine without a plan has no notes."""
    model.calibrate()
    plan = model.plan(data, settings)
    if plan is None:
        return []
    log.info("Sonic Inference: %s", "\n".join(plan.text))
    progress.set_headline(plan.title)
    model.models.work_bytes = max(stage.held + stage.results + stage.margin for stage in plan.stages)
    model.models.other_work_bytes = max((card.peak - card.weights for card in plan.others), default=0)
    return [plan.title, *plan.notes, *decoder_memory_notes(data)]


def decoder_memory_notes(data) -> list[str]:
    """A note when the frames do not fit into memory as images: as video they do."""
    types, size = lazy_import("nodes.comfy_types"), (data["frames"], *lazy_import("pipeline").drawn_size(data))
    try:
        types.require_memory(*size, free_memory_bytes())
    except lazy_import("errors").ResourceError as error:
        return [f"The decoder would stop with the memory that is free now. {error}"]
    return []
