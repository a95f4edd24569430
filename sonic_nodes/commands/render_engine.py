"""The engine of `sonic render` and what it is told, from the options."""

import sys

import torch

from ..engines.draft import OPENING, WIDTH, DraftEngine, DraftSettings
from ..engines.sonic import SonicEngine, SonicSettings
from ..errors import UsageError
from ..memory.benchmark import calibrate
from ..weights.models import Models

WORTH_MEASURING_FLOP = 10**13  # less takes a minute or two even on a CPU
TERMS = "The weights of Sonic are published for non-commercial use, those of Stable Video Diffusion under Stability AI's licences."


def engine_of(options):
    """(engine, its settings). For the Sonic engine the weight files are looked at, and InputError names those that are
    missing."""
    if options.engine == "draft":
        return DraftEngine(), DraftSettings(options.opening, options.sway, options.blink)
    settings = SonicSettings(
        options.steps, options.dynamic_scale, options.motion_scale, options.appearance_guidance, options.audio_guidance
    )
    models = Models.in_folder(options.models, options.unet, options.checkpoint)
    engine = SonicEngine(
        models,
        precision=options.precision,
        audio_strength=options.audio_strength,
        device=device_of(options.device),
        plan=options.plan,
        told=tell,
    )
    return engine, settings


def device_of(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
        return device
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(
            f"Choose --device cpu, or cuda on a machine that has it: {name!r} cannot be used ({why})."
        ) from None


def tell(sentence: str):
    print(f"sonic: {sentence}", file=sys.stderr)


def planned(engine, data, settings):
    """The plan with its times, from a measurement of this machine where the run is long enough for that to matter."""
    plan = engine.planned(data, settings)
    if sum(stage.flops for stage in plan.stages) < WORTH_MEASURING_FLOP:
        return plan
    engine.speed = calibrate(engine.device, plan.dtype)
    return engine.planned(data, settings)


def details_of(engine, latent) -> dict:
    """What the finished file says about how it was made, beside engine and seed."""
    if engine.name == "draft":
        return {}
    made = latent["sonic"]
    files = {key: engine.models.paths[key].name for key in ("unet", "vae")}
    return {"model": files, "precision": made["precision"], "settings": made["settings"], "terms": TERMS}


def commanded(engine, latent) -> dict:
    """What `--json` says about the motion."""
    if engine.name == "draft":
        codes = latent["sonic"]["codes"]
        return {"commanded": {"opening": rounded(codes[:, OPENING]), "width": rounded(codes[:, WIDTH])}}
    return {"settings": latent["sonic"]["settings"], "precision": latent["sonic"]["precision"]}


def rounded(values) -> list[float]:
    """A column of poses for JSON: a ten-thousandth of a face is far below what a picture shows."""
    return [round(float(value), 5) for value in values]
