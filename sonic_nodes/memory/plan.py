"""Before a run: does it fit, how is memory used, and how long does it take? Nothing is loaded or computed for that.

    budget = Budget.of("cuda")                     # free memory now
    p = make(64, 64, 126, budget, speed=speed)     # Plan; ResourceError with the changes that would help
    print("\n".join(p.text))

Bytes come from the meter on the meta device (estimate.py), plus a margin for the operators' own scratch memory.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import torch

from ..errors import ResourceError, UsageError, is_out_of_memory
from ..models.constants import CHUNK, LATENT_FPS, WINDOW
from ..models.sampler import Settings
from . import KINDS, estimate
from .benchmark import Speed
from .cards import Card, CardEstimate
from .device import free_bytes
from .estimate import Model, Shortcuts
from .host import available_bytes
from .stage import Stage
from .stage_estimates import VARIANTS, ClipWork, StageEstimate, card_estimate, stage_estimates

GIB = 1 << 30
STEPS = Settings.steps
EXACT = Shortcuts()
SIDE_STEP, SIDE_MIN = 64, 128
FP32_NETWORKS = ("whisper", "audio2token", "audio2bucket", "vae encoder", "rife")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Budget:
    """Bytes that a run may take."""

    gpu: int | None  # None: it runs on the CPU
    host: int
    others: tuple[Card, ...] = ()
    name: str = "GPU"  # of the card whose bytes are `gpu`

    @classmethod
    def of(cls, device="cpu") -> "Budget":
        """Free memory now."""
        device = torch.device(device)
        return cls(None if device.type == "cpu" else free_bytes(device), free_host_bytes())


def free_host_bytes() -> int:
    """System memory that is available without swapping."""
    found = available_bytes()
    if found is not None:
        return found
    if hasattr(os, "sysconf"):  # macOS without psutil: half of the installed memory
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 8 * GIB


@dataclass(frozen=True)
class Plan:
    """How a run uses memory. An engine follows branches_at_once and offload; window and chunk are fixed, because pixels
    depend on them."""

    rows: int  # of the latents
    columns: int
    latent_frames: int
    steps: int
    dtype: torch.dtype
    device: str  # "cpu" or "gpu"
    branches_at_once: int
    offload: bool  # drop each network after its stage; otherwise all stay loaded
    stages: tuple[StageEstimate, ...]
    budget: int
    # bytes of the clip in system memory while a GPU computes; on the CPU the stages include them
    host: int = 0
    host_budget: int = 0
    notes: tuple[str, ...] = ()
    smaller: "Plan | None" = field(default=None, repr=False)  # the fastest that takes less memory, for with_retry
    window: int = WINDOW
    chunk: int = CHUNK
    shortcuts: Shortcuts = EXACT
    stream: bool = False  # the UNet's weights wait in pinned memory and are brought to the card layer by layer
    others: tuple[CardEstimate, ...] = ()  # cards that share the calls of the UNet with the first
    name: str = "GPU"  # of the first card

    @property
    def peak(self) -> int:
        return max(stage.peak for stage in self.stages)

    @property
    def seconds(self) -> float | None:
        known = [stage.seconds for stage in self.stages]
        return None if None in known else sum(known)

    @property
    def fits(self) -> bool:
        return self.peak <= self.budget and self.host <= self.host_budget and all(card.fits for card in self.others)

    def takes_less_than(self, other: "Plan") -> bool:
        """On every card."""
        pairs = zip(self.others, other.others, strict=True)
        return self.peak < other.peak and all(mine.peak < its.peak for mine, its in pairs)

    def stage(self, stage: Stage) -> StageEstimate:
        return next(found for found in self.stages if found.stage == stage)

    @property
    def kind(self) -> str:
        branches = "batched" if self.branches_at_once > 1 else "sequential"
        return f"{branches}, streamed" if self.stream else f"{branches}, offload" if self.offload else branches

    @property
    def title(self) -> str:
        """One line."""
        facts = f"{8 * self.columns}x{8 * self.rows}, {self.latent_frames / LATENT_FPS:.1f} s, {dtype_text(self.dtype)}"
        where = self.name if self.device == "gpu" else "system memory"
        memory = f"{size(self.peak)} of {size(self.budget)} free ({where})"
        memory += "".join(f", {size(card.peak)} of {size(card.budget)} free ({card.name})" for card in self.others)
        if self.host > self.host_budget:
            memory += f" and {size(self.host)} of {size(self.host_budget)} free (system memory)"
        time = f", about {duration(self.seconds)}" if self.seconds is not None else ""
        return f"{facts}: {'fits' if self.fits else 'does not fit'}, {memory}, {self.kind}{time}"

    @property
    def text(self) -> list[str]:
        """Lines for a person."""
        head = f"{'stage':<12}{'weights':>10}{'held':>10}{'results':>10}{'margin':>10}{'peak':>10}{'time':>12}"
        rows = [
            f"{s.stage.value:<12}"
            + "".join(f"{size(v):>10}" for v in (s.weights, s.held, s.results, s.margin, s.peak))
            + f"{duration(s.seconds) if s.seconds is not None else '?':>12}"
            for s in self.stages
        ]
        others = [
            f"{c.name:<12}" + "".join(f"{size(v):>10}" for v in (c.weights, c.held, c.results, c.margin, c.peak))
            for c in self.others
        ]
        return [self.title, head, *rows, *others, *self.notes]

    def as_dict(self) -> dict:
        """For JSON."""
        apart = ("stages", "dtype", "smaller", "shortcuts", "others")
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in apart}
        return {
            **plain,
            "dtype": dtype_text(self.dtype),
            "peak": self.peak,
            "seconds": self.seconds,
            "fits": self.fits,
            "stages": [stage.as_dict() for stage in self.stages],
            "others": [card.as_dict() for card in self.others],
        }


def dtype_text(dtype: torch.dtype) -> str:
    return {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}.get(dtype, str(dtype))


def size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def network_dtypes(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """The compute type of each network in a run of `dtype`."""
    return {key: torch.float32 if key in FP32_NETWORKS else dtype for key in estimate.NETWORKS}


def make(
    rows: int,
    columns: int,
    latent_frames: int,
    budget: Budget,
    *,
    dtype: torch.dtype | None = None,
    steps: int = STEPS,
    speed: Speed | float | None = None,
    kind: str = "auto",
    sizes: Mapping[str, dict] | None = None,
    shortcuts: Shortcuts = EXACT,
    **heads: int,
) -> Plan:
    """The fastest plan that fits.

    rows, columns   of the latents: an eighth of the frame's
    dtype           None: float16 on a GPU; on the CPU float32, or bfloat16 where float32 does not fit
    speed           of this machine (benchmark.calibrate()); None: the plan has no times
    kind            one of KINDS; all but "auto" restrict the choice
    shortcuts       what the steps leave out
    sizes, heads    of networks that are not the published ones: weights/shapes.py; head_dim, whisper_heads, clip_heads
    Raises ResourceError when no plan fits; its first sentence is the remedy. UsageError for another `kind`.
    """
    found = plans(rows, columns, latent_frames, budget, dtype, steps, speed, kind, sizes, shortcuts, **heads)
    return next((plan for plan in found if plan.fits), None) or refuse(found, budget, sizes, heads)


def plans(
    rows,
    columns,
    latent_frames,
    budget,
    dtype=None,
    steps=STEPS,
    speed=None,
    kind="auto",
    sizes=None,
    shortcuts=EXACT,
    **heads,
) -> list[Plan]:
    """All plans of `kind`, the fastest first."""
    if kind not in KINDS:
        raise UsageError(f"Choose the plan among {', '.join(KINDS)}: it is {kind!r}.")
    on_gpu = budget.gpu is not None
    if kind == "streamed" and not on_gpu:
        raise UsageError("Choose another plan: streamed brings weights to a graphics card, and this run is on the CPU.")
    dtypes = (dtype,) if dtype else (torch.float16,) if on_gpu else (torch.float32, torch.bfloat16)
    is_allowed = {
        "auto": lambda plan: True,
        "batched": lambda plan: plan.branches_at_once == 3,
        "sequential": lambda plan: plan.branches_at_once == 1,
        "offload": lambda plan: plan.offload,
        "streamed": lambda plan: plan.stream,
    }[kind]
    found, clip = [], ClipWork(rows, columns, latent_frames, steps, shortcuts)
    for dtype in dtypes:
        m = estimate.model(network_dtypes(dtype), sizes, gpu=on_gpu, **heads)
        found += filter(is_allowed, variants(m, clip, dtype, budget, speed))
    return found


def variants(m: Model, clip: ClipWork, dtype, budget: Budget, speed) -> list[Plan]:
    """The plans in one dtype, the fastest first. Each knows the next one that takes less memory."""
    on_gpu, others = budget.gpu is not None, budget.others
    clip_host = estimate.host_bytes(m, clip.rows, clip.columns, clip.latent_frames) if on_gpu else 0
    found: list[Plan] = []
    for variant in reversed(VARIANTS):
        if variant.stream and not on_gpu:
            continue
        host = clip_host + (estimate.streamed_bytes(m) if variant.stream else 0)
        plan = Plan(
            clip.rows,
            clip.columns,
            clip.latent_frames,
            clip.steps,
            dtype,
            "gpu" if on_gpu else "cpu",
            variant.branches,
            variant.offload,
            stage_estimates(m, clip, variant, speed, 1 + len(others)),
            budget.gpu if on_gpu else budget.host,
            host,
            budget.host,
            shortcuts=clip.shortcuts,
            stream=variant.stream,
            others=tuple(card_estimate(m, clip, variant, card) for card in others),
            name=budget.name,
        )
        found.insert(0, replace(plan, smaller=next((p for p in found if p.takes_less_than(plan)), None)))
    return found


def refuse(found: Sequence[Plan], budget: Budget, sizes, heads):
    """Raises ResourceError. It lists the changes that would make the run fit, each verified by a plan."""
    least = min(found, key=lambda plan: plan.peak)
    finders = (fewer_cards, whole_steps, smaller_picture, another_type, shorter_clip, on_the_cpu)
    remedies = [find(least, budget, sizes, heads) for find in finders] + more_memory(least)
    first, *others = filter(None, remedies)
    raise ResourceError(
        f"{first[0].upper()}{first[1:]}{''.join(f', or {other}' for other in others)}. "
        f"{least.title}: {what_is_too_much(least)}."
    )


def what_is_too_much(plan: Plan) -> str:
    """Names the stage, and where there are several cards the one that is too small."""
    worst = max(plan.stages, key=lambda stage: stage.peak)
    small = next((card for card in plan.others if not card.fits), None) if plan.peak <= plan.budget else None
    if small:
        return f"{Stage.SAMPLING.value} alone takes {size(small.peak)} on {small.name}"
    where = f" on {plan.name}" if plan.others else ""
    return f"{worst.stage.value} alone takes {size(worst.peak)}{where}"


def fitting(least: Plan, budget: Budget, sizes, heads, **changes) -> Plan | None:
    """The fastest plan that fits when `changes` replace facts of the smallest plan."""
    facts = {
        "rows": least.rows,
        "columns": least.columns,
        "latent_frames": least.latent_frames,
        "dtype": least.dtype,
        "shortcuts": least.shortcuts,
        **changes,
    }
    found = plans(budget=budget, steps=least.steps, sizes=sizes, **facts, **heads)
    return next((plan for plan in found if plan.fits), None)


def fewer_cards(least: Plan, budget, sizes, heads) -> str | None:
    """Without the further cards that are too small."""
    small = [card.name for card in least.others if not card.fits]
    if not small:
        return None
    kept = tuple(card for card in budget.others if card.name not in small)
    plan = fitting(least, replace(budget, others=kept), sizes, heads)
    return f"leave out the device {' and '.join(small)} ({size(plan.peak)} on {plan.name})" if plan else None


def whole_steps(least: Plan, budget, sizes, heads) -> str | None:
    """Steps that share deep features keep them for the whole clip."""
    if least.shortcuts.reuse == 1:
        return None
    plan = fitting(least, budget, sizes, heads, shortcuts=replace(least.shortcuts, reuse=1))
    if plan is None:
        return None
    return f"set speed to {'exact' if plan.shortcuts.guidance_high == math.inf else 'balanced'} ({size(plan.peak)})"


def smaller_picture(least: Plan, budget, sizes, heads) -> str | None:
    """The largest min_resolution below this one that fits."""
    side = 8 * min(least.rows, least.columns)
    for smaller in range(side - SIDE_STEP, SIDE_MIN - 1, -SIDE_STEP):
        rows, columns = (round(v * smaller / side / 8) * 8 for v in (least.rows, least.columns))
        plan = fitting(least, budget, sizes, heads, rows=rows, columns=columns)
        if plan:
            return f"set min_resolution to {smaller} ({size(plan.peak)})"
    return None


def another_type(least: Plan, budget, sizes, heads) -> str | None:
    if least.dtype != torch.float32:
        return None
    dtype = torch.float16 if least.device == "gpu" else torch.bfloat16
    plan = fitting(least, budget, sizes, heads, dtype=dtype)
    return f"set precision to {dtype_text(dtype)} ({size(plan.peak)})" if plan else None


def shorter_clip(least: Plan, budget, sizes, heads) -> str | None:
    """The longest duration that fits, in whole windows."""
    low, high = 0, math.ceil(least.latent_frames / WINDOW)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if fitting(least, budget, sizes, heads, latent_frames=WINDOW * middle) else (low, middle)
        )
    return f"set duration to {low * WINDOW / LATENT_FPS:.0f} s or less" if low else None


def on_the_cpu(least: Plan, budget, sizes, heads) -> str | None:
    if least.device != "gpu":
        return None
    plan = fitting(least, Budget(None, budget.host), sizes, heads, dtype=None)
    return f"run on the CPU ({size(plan.peak)} of {size(budget.host)} system memory, much slower)" if plan else None


def more_memory(least: Plan) -> list[str]:
    """How much memory to free for the smallest plan."""
    on_gpu = least.device == "gpu"
    used_by = (least.name if least.others else "the GPU") if on_gpu else "much memory"
    missing = {used_by: least.peak - least.budget, "much system memory": least.host - least.host_budget}
    missing |= {card.name: card.peak - card.budget for card in least.others}
    return [
        f"free {size(count)} more: close other programs that use {what}" for what, count in missing.items() if count > 0
    ]


def nothing(*_):
    pass


def with_retry(
    plan: Plan,
    run: Callable[[Plan], Result],
    free: Callable[[], None] = nothing,
    notify: Callable[[str], None] = nothing,
) -> Result:
    """run(plan). When memory runs out: free(), then run the next smaller plan. A second failure is raised unchanged, so
    that a host which frees memory on its own type of error still sees that type."""
    try:
        return run(plan)
    except Exception as error:
        if not is_out_of_memory(error) or plan.smaller is None:
            raise
    free()
    notify(f"Memory ran out ({plan.kind}): trying once more, {plan.smaller.kind}.")
    return run(plan.smaller)
