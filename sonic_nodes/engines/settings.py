"""Settings and their limits, defined once: command line, nodes and engines read them here.

Each field carries its limits in its metadata; limits(class, name) returns them. Creating a settings object checks every
field and raises UsageError. Imports neither torch nor NumPy, so that `sonic --help` stays quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from ..dub import CLIP_ENDS, LOOP
from ..errors import UsageError
from ..memory import KINDS

PRECISIONS = ("auto", "fp16", "bf16", "fp32")
LENGTHS = ("exact", "upstream")
SPEEDS = ("exact", "balanced", "fast", "shared-features", "fp16-accumulation", "fast-fp16")
CROPS = ("face", "off", "wide")
FACE_ORDERS = ("largest-first", "left-to-right")
MISMATCHES = ("use shorter", "refuse")


def plain(value: float) -> str:
    """A number as people write it: 2 for 2.0, whole numbers in full."""
    return str(value) if isinstance(value, int) else f"{value:.12g}"


@dataclass(frozen=True)
class Range:
    """Limits of a number; both ends are allowed. Its type is that of the default."""

    default: float
    low: float
    high: float
    step: float | None  # between two positions of a node's widget; None: the widget's own
    help: str

    def check(self, name: str, value: float):
        """Raises UsageError for a value outside, NaN included."""
        if not self.low <= value <= self.high:
            raise UsageError(f"Choose {name} between {plain(self.low)} and {plain(self.high)}: it is {value}.")

    def widget(self) -> dict:
        """The arguments of a node's number input."""
        found = {"default": self.default, "min": self.low, "max": self.high, "step": self.step}
        return {name: value for name, value in found.items() if value is not None}

    def narrowed(self, **changes) -> "Range":
        """A part of this range; default and step may differ."""
        part = replace(self, **changes)
        if not self.low <= part.low <= part.default <= part.high <= self.high:
            raise ValueError(f"{part} is not a part of {self}")
        return part


@dataclass(frozen=True)
class Choice:
    """Limits of a text: one of `options`."""

    default: str
    options: tuple[str, ...]
    help: str

    def check(self, name: str, value: str):
        if value not in self.options:
            raise UsageError(f"Choose {name} among {', '.join(self.options)}: it is {value!r}.")


@dataclass(frozen=True)
class Text:
    """A file, a folder or a device: checked where it is opened."""

    default: str | None
    metavar: str
    help: str

    def check(self, name: str, value: str | None):
        pass


Limits = Range | Choice | Text


def number(default: float, low: float, high: float, step: float | None, help: str):
    return field(default=default, metadata={"limits": Range(default, low, high, step, help)})


def choice(default: str, options: tuple[str, ...], help: str):
    return field(default=default, metadata={"limits": Choice(default, options, help)})


def text(default: str | None, metavar: str, help: str):
    return field(default=default, metadata={"limits": Text(default, metavar, help)})


def all_limits(settings) -> Mapping[str, Limits]:
    """{field: limits} of a settings class or object, in order."""
    return {f.name: f.metadata["limits"] for f in fields(settings)}


def limits(settings, name: str) -> Limits:
    return all_limits(settings)[name]


class Checked:
    """Base of settings: a value outside its limits raises UsageError."""

    def __post_init__(self):
        for name, limit in all_limits(self).items():
            limit.check(name, getattr(self, name))


@dataclass(frozen=True)
class PrepareSettings(Checked):
    """How pipeline.prepare crops the portrait and trims the recording."""

    min_resolution: int = number(512, 128, 2048, 64, "shorter side of the video in pixels")
    duration: float = number(0.0, 0.0, 1e11, 0.1, "seconds of the recording to use; 0 is all of it")
    expand_ratio: float = number(0.18, 0.0, 1.0, 0.01, "margin around the face, as a share of its size")
    face_index: int = number(0, 0, 99, None, "which face speaks; 0 is the first in face_order")
    crop: str = choice(
        "face",
        CROPS,
        "face: a square around the face; wide: as much of the picture as keeps the face large enough, pasted back into "
        "the whole; off: the whole picture",
    )
    on_mismatch: str = choice("use shorter", MISMATCHES, "when duration asks for more than the recording has")
    start: float = number(0.0, 0.0, 1e11, 0.1, "seconds of the recording to skip")
    face_order: str = choice("largest-first", FACE_ORDERS, "how faces are counted")
    clip_end: str = choice(
        LOOP,
        CLIP_ENDS,
        "when the speech is longer than a clip used as portrait: loop starts it again, or plays it back and forth "
        "where the step to its first frame would be seen; forward and back-and-forth always do that; hold keeps its "
        "last frame",
    )


@dataclass(frozen=True)
class SharedSettings(Checked):
    """What both engines and the nodes around them share."""

    seed: int = number(0, 0, (1 << 64) - 1, None, "the same seed gives the same video")
    fps: float = number(25.0, 5.0, 120.0, 0.5, "frames a second of SONICSampler's images")
    feather: float = number(0.1, 0.0, 0.5, 0.01, "width of the soft edge of paste back, as a share of the crop")


@dataclass(frozen=True)
class DraftSettings(Checked):
    """One run of the draft engine. Each is a factor: 1 is natural, 0 switches it off."""

    opening: float = number(1.0, 0.0, 2.0, 0.05, "how far the mouth opens; 1 is natural")
    sway: float = number(1.0, 0.0, 2.0, 0.05, "head motion; 1 is natural, 0 keeps the head still")
    blink: float = number(1.0, 0.0, 1.0, 0.05, "how often the eyes blink; 0 is never")


@dataclass(frozen=True)
class DraftOptions(Checked):
    """How the draft engine is opened: it needs nothing."""


@dataclass(frozen=True)
class SonicSettings(Checked):
    """One run of the Sonic engine. dynamic_scale multiplies both motion numbers, motion_scale the second once more; 1
    is what the model was published with. length: "exact", or "upstream" as the reference implementation cuts the
    clip."""

    steps: int = number(25, 1, 1024, 1, "denoising steps, 20 to 30 for a finished video")
    dynamic_scale: float = number(1.1, 0.5, 2.0, 0.05, "how much mouth and head move")
    motion_scale: float = number(1.05, 0.5, 2.0, 0.05, "how much the head moves")
    appearance_guidance: float = number(2.0, 1.0, 10.0, 0.1, "how strictly frames keep to the portrait")
    audio_guidance: float = number(7.5, 1.0, 20.0, 0.1, "how strictly the mouth follows the voice")
    length: str = choice("exact", LENGTHS, "exact: as long as the recording; upstream: as the reference cuts it")
    speed: str = choice(
        "exact",
        SPEEDS,
        "exact: as published; balanced: three fifths of the work, fast: one third, both less exact; shared-features: "
        "what fast adds to balanced; fp16-accumulation: sums in fp16, faster on GeForce RTX cards; fast-fp16: fast "
        "with it",
    )


@dataclass(frozen=True)
class SonicOptions(Checked):
    """How the Sonic engine is opened: weight files, device, memory."""

    models: str | None = text(
        None, "DIR", "ComfyUI's models folder, or the output of `sonic models convert` ($SONIC_MODELS, else ./models)"
    )
    unet: str | None = text(None, "FILE", "UNet to use instead of sonic/unet.pth in that folder")
    checkpoint: str | None = text(None, "FILE", "checkpoint to use instead of checkpoints/svd_xt.safetensors")
    audio_strength: float = number(1.0, 0.0, 2.0, 0.05, "how strongly the voice acts; 1 is as trained")
    precision: str = choice(
        "auto", PRECISIONS, "auto: fp16 on a graphics card; on the CPU fp32, or bf16 where fp32 does not fit"
    )
    device: str = text(
        "auto",
        "DEVICE",
        "cpu, cuda, cuda:1 ... (auto: the graphics card, if there is one that can); cuda:0,cuda:1 or all: these cards "
        "share the windows of each step",
    )
    plan: str = choice(
        "auto",
        KINDS,
        "memory plan: three guidance branches at once, one by one, networks dropped after use, or the UNet's weights "
        "brought to the card layer by layer",
    )


# Narrower on purpose: the widgets that workflow files were made with.
STEPS_WIDGET = limits(SonicSettings, "steps").narrowed(high=100)
# Those of the pack smthemex/ComfyUI_Sonic, for its workflow files.
COMPAT_SEED = limits(SharedSettings, "seed").narrowed(high=(1 << 31) - 1)
COMPAT_DYNAMIC_SCALE = limits(SonicSettings, "dynamic_scale").narrowed(default=1.0, step=0.1)
COMPAT_AUDIO_STRENGTH = limits(SonicOptions, "audio_strength").narrowed(low=0.5, step=0.1)
