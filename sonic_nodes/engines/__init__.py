"""Engines, by name. The list needs no torch: `sonic --help` reads it. The interface is in base.py."""

from dataclasses import dataclass
from importlib import import_module

from .settings import DraftOptions, DraftSettings, SonicOptions, SonicSettings


@dataclass(frozen=True)
class EngineEntry:
    """An engine in the list. Its class is imported when it is used."""

    place: str  # module:class in this package
    help: str
    settings: type  # of one run
    options: type  # for Engine.open
    has_plan: bool  # whether Engine.plan returns a plan


ENGINES = {
    "draft": EngineEntry("draft:DraftEngine", "built in, needs no weights", DraftSettings, DraftOptions, False),
    "sonic": EngineEntry(
        "sonic:SonicEngine", "the diffusion model, needs its weights (--models)", SonicSettings, SonicOptions, True
    ),
}


def engine_class(name: str) -> type:
    """The subclass of base.Engine."""
    module, cls = ENGINES[name].place.split(":")
    return getattr(import_module(f".{module}", __package__), cls)
