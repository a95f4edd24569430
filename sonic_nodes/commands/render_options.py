"""The options of `sonic render`, apart from its work so that `sonic --help` stays quick."""

import argparse
import os

from ..errors import UsageError
from ..weights.files import TERMS

PLANS = ("auto", "batched", "sequential", "offload")
DRAFT = {"opening": 1.0, "sway": 1.0, "blink": 1.0}
SONIC = {
    "models": None,
    "unet": None,
    "checkpoint": None,
    "steps": 25,
    "dynamic_scale": 1.1,
    "motion_scale": 1.05,
    "appearance_guidance": 2.0,
    "audio_guidance": 7.5,
    "audio_strength": 1.0,
    "precision": "auto",
    "device": "auto",
    "plan": "auto",
    "plan_only": False,
}


def add_parser(commands):
    render = commands.add_parser(
        "render",
        help="make PORTRAIT speak SPEECH",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Make PORTRAIT speak SPEECH. Ask the person shown for consent; the file says that it is AI-generated.",
        epilog=f"The draft engine needs no weights. Those of the Sonic engine (`sonic models --help` lists the files):\n{TERMS}",
    )
    render.set_defaults(refuse=render.error)
    render.add_argument("portrait", metavar="PORTRAIT", help="picture with a face, any format Pillow opens")
    render.add_argument("speech", metavar="SPEECH", help="recording, any sound or video file that PyAV opens")
    render.add_argument(
        "-o", "--output", metavar="OUT.mp4", help="the video to write (H.264 and AAC, 25 frames a second)"
    )
    render.add_argument(
        "--engine",
        choices=["draft", "sonic"],
        default="draft",
        help="draft: built in, needs no weights (default); sonic: the diffusion model, needs the weights in --models",
    )
    render.add_argument(
        "--min-resolution", type=int, default=512, metavar="N", help="shorter side in pixels, 128 to 2048 (512)"
    )
    render.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same video")
    render.add_argument("--face", type=int, default=0, metavar="N", help="which face, 0 is the largest")
    render.add_argument(
        "--face-mask",
        metavar="MASK",
        help="picture of PORTRAIT's size, white where the face is: for statues and drawings",
    )
    render.add_argument(
        "--expand-ratio", type=number_within(0, 1), default=0.18, metavar="0-1", help="room around the face (0.18)"
    )
    render.add_argument("--no-interpolate", action="store_true", help="12.5 frames a second instead of 25")
    render.add_argument("--paste-back", action="store_true", help="put the speaking face back into the whole picture")
    render.add_argument("--frames", metavar="DIR", help="also write every frame as PNG into DIR")
    render.add_argument(
        "--lossless", action="store_true", help="encode without loss (large file, not every player opens it)"
    )
    render.add_argument("--json", action="store_true", help="print what was done as JSON on standard output")
    add_draft(render.add_argument_group("draft engine"))
    add_sonic(render.add_argument_group("Sonic engine"))


def add_draft(group):
    group.add_argument(
        "--opening", type=number_within(0, 2), metavar="0-2", help="how far the mouth opens; 1 is natural"
    )
    group.add_argument("--sway", type=number_within(0, 1), metavar="0-1", help="head motion; 0 keeps the head still")
    group.add_argument("--blink", type=number_within(0, 1), metavar="0-1", help="how often the eyes blink; 0 never")


def add_sonic(group):
    add = group.add_argument
    add(
        "--models",
        metavar="DIR",
        help="ComfyUI's models folder, or what `sonic models convert` wrote ($SONIC_MODELS, else ./models)",
    )
    add("--unet", metavar="FILE", help="another UNet than the folder's sonic/unet.pth")
    add("--checkpoint", metavar="FILE", help="another checkpoint than the folder's checkpoints/svd_xt.safetensors")
    add("--steps", type=int, metavar="N", help="denoising steps, 20 to 30 for a finished video (25)")
    add("--dynamic-scale", type=float, metavar="0.5-2", help="how much everything moves (1.1)")
    add("--motion-scale", type=float, metavar="0.5-2", help="how much the head moves (1.05)")
    add("--appearance-guidance", type=float, metavar="1-10", help="how strictly frames keep to the portrait (2)")
    add("--audio-guidance", type=float, metavar="1-20", help="how strictly the mouth follows the voice (7.5)")
    add("--audio-strength", type=float, metavar="0-2", help="how strongly the voice acts (1)")
    add(
        "--precision",
        choices=["auto", "fp16", "bf16", "fp32"],
        help="auto: fp16 on a graphics card, else fp32, or bf16 to save memory",
    )
    add("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 ... (auto: cuda where there is one)")
    add(
        "--plan",
        choices=PLANS,
        help="how to use memory: three branches at once, one by one, networks dropped after use (auto)",
    )
    add(
        "--plan-only",
        action="store_true",
        default=None,
        help="say how long it takes and what memory it needs, and stop",
    )


def settle(options):
    """Fill in the engine's defaults. Raises UsageError for options of the other engine: a run of an hour must not
    ignore them."""
    own, foreign = (SONIC, DRAFT) if options.engine == "sonic" else (DRAFT, SONIC)
    wrong = [f"--{name.replace('_', '-')}" for name in foreign if getattr(options, name) is not None]
    if wrong:
        other = "draft" if options.engine == "sonic" else "sonic"
        raise UsageError(
            f"Leave out {', '.join(wrong)}, or choose --engine {other}: it has no effect with --engine {options.engine}."
        )
    for name, value in own.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.engine == "sonic":
        options.models = options.models or os.environ.get("SONIC_MODELS", "models")
    if options.output is None and not (options.engine == "sonic" and options.plan_only):
        options.refuse("the following arguments are required: -o/--output")


def number_within(low, high):
    """An argparse type: a number from `low` to `high`."""

    def number(text):
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"choose a number from {low} to {high}, it is {text}")
        return value

    return number
