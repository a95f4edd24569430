"""The memory that a run of the Sonic engine may use, and the plan that fits into it."""

from dataclasses import replace

from ..memory import plan
from ..memory.cards import Card
from ..memory.device import free_bytes
from ..memory.estimate import Shortcuts
from ..memory.plan import Budget, Plan
from ..models.sampler import Settings
from ..weights.key_maps import NETWORKS
from .clip_spec import ClipSpec


def budget_of(engine) -> Budget:
    """Free memory now, plus what the engine's own weights take: the plan counts those again."""
    free = Budget.of(engine.device)
    if free.gpu is None:
        return replace(free, host=free.host + engine.models.held_bytes("cpu"))
    others = tuple(Card(str(d), free_bytes(d) + engine.models.held_bytes(d)) for d in engine.others)
    name = str(engine.device) if others else free.name
    return replace(free, gpu=free.gpu + engine.models.held_bytes(engine.device), others=others, name=name)


def plan_for(clip: ClipSpec, settings: Settings, engine) -> Plan:
    """plan.make for this clip on the engine's device. Raises ResourceError when nothing fits."""
    models = engine.models
    return plan.make(
        clip.rows,
        clip.columns,
        clip.latents,
        engine.budget(),
        dtype=engine.dtype,
        steps=settings.steps,
        shortcuts=Shortcuts.of(settings),
        speed=engine.speed,
        kind=engine.kind,
        sizes={key: models.sizes(key) for key in NETWORKS},
        head_dim=models.head_dim(),
        whisper_heads=models.heads("whisper"),
        clip_heads=models.heads("clip_vision"),
    )
