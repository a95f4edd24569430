"""Before a run: does it fit, how, and how long will it take? Says so from sizes alone; nothing is loaded or computed.

    budget = Budget.of("cuda")                     what is free now
    p = make(64, 64, 126, budget, speed=speed)     Plan, or ResourceError with numbers and ways out
    print("\n".join(p.text))

Bytes come from the meter on the meta device (foresee.py), plus a margin for what operators need inside themselves.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

import torch

from ..errors import ResourceError, UsageError
from . import estimate
from .benchmark import Speed
from .estimate import CHUNK, STAGES, WINDOW, Model

GIB = 1 << 30
STEPS, FPS_LATENT, FPS_PICTURE = 25, 12.5, 25
# on a GPU: cuBLAS' and cuDNN's workspace, gaps between the allocator's blocks
MARGIN_BYTES, MARGIN_SHARE = 256 << 20, 0.1
HOST_MARGIN_BYTES, HOST_MARGIN_SHARE = 64 << 20, 0.1  # on the CPU: oneDNN's packed weights and scratch
KINDS = ("auto", "batched", "sequential", "offload")
WAYS = ((3, False), (3, True), (1, False), (1, True))  # branches at once, offload: the quickest first
SIDE_STEP, SIDE_MIN = 64, 128
FP32_NETWORKS = ("whisper", "audio2token", "audio2bucket", "vae encoder", "rife")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Budget:
    """Bytes that a run may take."""

    gpu: int | None  # None: it runs on the CPU
    host: int

    @classmethod
    def of(cls, device="cpu") -> "Budget":
        """What is free now."""
        device = torch.device(device)
        gpu = torch.cuda.mem_get_info(device)[0] + unused(device) if device.type == "cuda" else None
        return cls(gpu, free_host_bytes())


def unused(device: torch.device) -> int:
    """Bytes that torch's allocator keeps and could hand out again."""
    return torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def free_host_bytes() -> int:
    """System memory that can be had without swapping."""
    try:
        import psutil

        return psutil.virtual_memory().available
    except ImportError:
        pass
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    if hasattr(os, "sysconf"):  # macOS without psutil: half of what there is
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 8 * GIB


@dataclass(frozen=True)
class Stage:
    """Bytes on the device that computes, at the stage's peak."""

    name: str
    weights: int  # of the networks that are loaded meanwhile
    held: int  # what other stages left: the UNet's constants, latents
    results: int  # of operators
    margin: int
    flops: int
    seconds: float | None

    @property
    def peak(self) -> int:
        return self.weights + self.held + self.results + self.margin


@dataclass(frozen=True)
class Plan:
    """How a run will be done. branches_at_once and offload are what an engine obeys; chunk and window are fixed, pixels
    depend on them."""

    rows: int  # of the latents
    columns: int
    latent_frames: int
    steps: int
    dtype: torch.dtype
    device: str  # "cpu" or "gpu"
    branches_at_once: int
    offload: bool  # drop each network when its stage is done; else all stay loaded
    stages: tuple[Stage, ...]
    budget: int
    # bytes that the clip itself takes in system memory while a GPU computes; on the CPU they are part of the stages
    host: int = 0
    host_budget: int = 0
    notes: tuple[str, ...] = ()
    smaller: "Plan | None" = field(default=None, repr=False)  # the next that takes less memory, for with_retry
    window: int = WINDOW
    chunk: int = CHUNK

    @property
    def peak(self) -> int:
        return max(stage.peak for stage in self.stages)

    @property
    def seconds(self) -> float | None:
        known = [stage.seconds for stage in self.stages]
        return None if None in known else sum(known)

    @property
    def fits(self) -> bool:
        return self.peak <= self.budget and self.host <= self.host_budget

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def kind(self) -> str:
        how = "batched" if self.branches_at_once > 1 else "sequential"
        return f"{how}, offload" if self.offload else how

    @property
    def title(self) -> str:
        """One line."""
        length = self.latent_frames / FPS_LATENT
        where = "GPU" if self.device == "gpu" else "system memory"
        host = (
            f" and {size(self.host)} of {size(self.host_budget)} free (system memory)"
            if self.host > self.host_budget
            else ""
        )
        return (
            f"{8 * self.columns}x{8 * self.rows}, {length:.1f} s, {dtype_text(self.dtype)}: {'fits' if self.fits else 'does not fit'}, "
            f"{size(self.peak)} of {size(self.budget)} free ({where}){host}, {self.kind}"
            + (f", about {duration(self.seconds)}" if self.seconds is not None else "")
        )

    @property
    def text(self) -> list[str]:
        """Lines for a person."""
        head = f"{'stage':<12}{'weights':>10}{'held':>10}{'results':>10}{'margin':>10}{'peak':>10}{'time':>12}"
        rows = [
            f"{s.name:<12}"
            + "".join(f"{size(v):>10}" for v in (s.weights, s.held, s.results, s.margin, s.peak))
            + f"{duration(s.seconds) if s.seconds is not None else '?':>12}"
            for s in self.stages
        ]
        return [self.title, head, *rows, *self.notes]

    def as_dict(self) -> dict:
        """For JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("stages", "dtype", "smaller")}
        stages = [{**asdict(stage), "peak": stage.peak} for stage in self.stages]
        return {
            **plain,
            "dtype": dtype_text(self.dtype),
            "peak": self.peak,
            "seconds": self.seconds,
            "fits": self.fits,
            "stages": stages,
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
    """In which type each network computes in a run of `dtype`."""
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
    **heads: int,
) -> Plan:
    """The quickest plan that fits.

    rows, columns   of the latents: an eighth of the picture's
    dtype           None: float16 on a GPU, float32 on the CPU, there bfloat16 where float32 does not fit
    speed           of this machine (speed.calibrate()); None: the plan has no times
    kind            one of KINDS, to force how
    sizes, heads    of networks that are not the published ones: weights/tables.py; head_dim, whisper_heads, clip_heads
    Raises ResourceError when nothing fits: the first line is the remedy. UsageError for another `kind`.
    """
    found = plans(rows, columns, latent_frames, budget, dtype, steps, speed, kind, sizes, **heads)
    return next((plan for plan in found if plan.fits), None) or refuse(found, budget, speed, sizes, heads)


def plans(
    rows, columns, latent_frames, budget, dtype=None, steps=STEPS, speed=None, kind="auto", sizes=None, **heads
) -> list[Plan]:
    """All ways to do it, the quickest first."""
    if kind not in KINDS:
        raise UsageError(f"Choose the plan among {', '.join(KINDS)}: it is {kind!r}.")
    on_gpu = budget.gpu is not None
    dtypes = (dtype,) if dtype else (torch.float16,) if on_gpu else (torch.float32, torch.bfloat16)
    wanted = {
        "auto": lambda b, o: True,
        "batched": lambda b, o: b == 3,
        "sequential": lambda b, o: b == 1,
        "offload": lambda b, o: o,
    }[kind]
    found = []
    for dtype in dtypes:
        m = estimate.model(network_dtypes(dtype), sizes, gpu=on_gpu, **heads)
        grown = estimate.host_bytes(m, rows, columns, latent_frames) if on_gpu else 0
        ways: list[Plan] = []
        for branches, offload in reversed(WAYS):
            parts = stages(m, rows, columns, latent_frames, steps, branches, offload, on_gpu, speed)
            plan = Plan(
                rows,
                columns,
                latent_frames,
                steps,
                dtype,
                "gpu" if on_gpu else "cpu",
                branches,
                offload,
                parts,
                budget.gpu if on_gpu else budget.host,
                grown,
                budget.host,
            )
            ways.insert(0, replace(plan, smaller=next((way for way in ways if way.peak < plan.peak), None)))
        found += [plan for plan in ways if wanted(plan.branches_at_once, plan.offload)]
    return found


def stages(m: Model, rows, columns, latent_frames, steps, branches, offload, on_gpu, speed) -> tuple[Stage, ...]:
    constants = estimate.constants_bytes(m, rows, columns)
    latents = 4 * latent_frames * estimate.latent_channels(m) * rows * columns
    costs = {
        "picture": (estimate.picture(m), 0),
        "encoding": (estimate.encoding(m, rows, columns), 0),
        "sound": (estimate.sound(m, latent_frames), 0),
        "constants": (estimate.constants(m, rows, columns), 0),
        "sampling": (estimate.sampling(m, rows, columns, latent_frames, steps, branches), constants),
        "decoding": (estimate.decoding(m, rows, columns).times(math.ceil(latent_frames / CHUNK)), latents),
        "in between": (estimate.in_between(m, rows, columns).times(latent_frames - 1), latents),
    }
    grown = 0 if on_gpu else estimate.host_bytes(m, rows, columns, latent_frames)
    share, least = (MARGIN_SHARE, MARGIN_BYTES) if on_gpu else (HOST_MARGIN_SHARE, HOST_MARGIN_BYTES)
    return tuple(
        Stage(
            name,
            m.bytes(STAGES[name]) if offload else m.all_bytes(),
            held + grown,
            cost.peak_bytes,
            least + round(share * cost.peak_bytes),
            cost.flops,
            Speed.of(speed).seconds(cost) if speed else None,
        )
        for name, (cost, held) in costs.items()
    )


def refuse(found: Sequence[Plan], budget: Budget, speed, sizes, heads):
    """Raises ResourceError: what would fit, each way computed."""
    least = min(found, key=lambda plan: plan.peak)
    worst = max(least.stages, key=lambda stage: stage.peak)
    ways = [
        way
        for way in (
            smaller_picture(least, budget, sizes, heads),
            another_type(least, budget, sizes, heads),
            shorter_clip(least, budget, sizes, heads),
            on_the_cpu(least, budget, sizes, heads),
        )
        if way
    ]
    used = "the GPU" if least.device == "gpu" else "much memory"
    short = {used: least.peak - least.budget, "much system memory": least.host - least.host_budget}
    ways += [
        f"free {size(missing)} more: close other programs that use {used}"
        for used, missing in short.items()
        if missing > 0
    ]
    first, rest = ways[0], "".join(f", or {way}" for way in ways[1:])
    raise ResourceError(
        f"{first[0].upper()}{first[1:]}{rest}. {least.title}: {worst.name} alone takes {size(worst.peak)}."
    )


def fitting(least: Plan, budget: Budget, sizes, heads, **changes) -> Plan | None:
    wanted = {
        "rows": least.rows,
        "columns": least.columns,
        "latent_frames": least.latent_frames,
        "dtype": least.dtype,
        **changes,
    }
    found = plans(budget=budget, steps=least.steps, sizes=sizes, **wanted, **heads)
    return next((plan for plan in found if plan.fits), None)


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
    """The longest duration that fits, to a window."""
    low, high = 0, math.ceil(least.latent_frames / WINDOW)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if fitting(least, budget, sizes, heads, latent_frames=WINDOW * middle) else (low, middle)
        )
    return f"set duration to {low * WINDOW / FPS_LATENT:.0f} s or less" if low else None


def on_the_cpu(least: Plan, budget, sizes, heads) -> str | None:
    if least.device != "gpu":
        return None
    plan = fitting(least, Budget(None, budget.host), sizes, heads, dtype=None)
    return f"run on the CPU ({size(plan.peak)} of {size(budget.host)} system memory, much slower)" if plan else None


def is_out_of_memory(error: BaseException) -> bool:
    """Of torch's allocators, and of our C code, which hands on their text."""
    kinds = (torch.OutOfMemoryError, MemoryError, ResourceError)
    return (
        isinstance(error, kinds)
        or isinstance(error, RuntimeError)
        and any(
            sign in str(error)
            for sign in ("out of memory", "not fit in memory", "no memory", "not enough memory", "allocate memory")
        )
    )


def nothing(*_):
    pass


def with_retry(
    plan: Plan, run: Callable[[Plan], Result], free: Callable[[], None] = nothing, told: Callable[[str], None] = nothing
) -> Result:
    """run(plan). When memory runs out half way: free(), then once more with the next smaller plan. A second failure
    leaves as it came, so that a host that frees memory on its own kind of error still sees it."""
    try:
        return run(plan)
    except Exception as error:
        if not is_out_of_memory(error) or plan.smaller is None:
            raise
    free()
    told(f"Memory ran out ({plan.kind}): once more, {plan.smaller.kind}.")
    return run(plan.smaller)
