"""Limits of the settings, and that the engines refuse what the settings refuse."""

import math
from dataclasses import FrozenInstanceError

import pytest

from sonic_nodes import pipeline
from sonic_nodes.engines import ENGINES, engine_class, settings
from sonic_nodes.engines.base import Engine
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.engines.settings import Choice, Range, all_limits, limits, plain
from sonic_nodes.engines.sonic import DTYPES, SonicEngine
from sonic_nodes.errors import UsageError
from sonic_nodes.memory import KINDS, plan
from sonic_nodes.models.sampler import LENGTHS
from tests.oracles.engine_runs import clip_data

CLASSES = [
    settings.PrepareSettings,
    settings.SharedSettings,
    settings.DraftSettings,
    settings.DraftOptions,
    settings.SonicSettings,
    settings.SonicOptions,
]
RANGES = [
    pytest.param(cls, name, limit, id=f"{cls.__name__}.{name}")
    for cls in CLASSES
    for name, limit in all_limits(cls).items()
    if isinstance(limit, Range)
]
CHOICES = [
    (cls, name, limit) for cls in CLASSES for name, limit in all_limits(cls).items() if isinstance(limit, Choice)
]


def outside(limit: Range) -> tuple:
    """The numbers next to the range, below and above."""
    if isinstance(limit.default, int):
        return limit.low - 1, limit.high + 1
    return math.nextafter(limit.low, -math.inf), math.nextafter(limit.high, math.inf)


@pytest.mark.parametrize("cls, name, limit", RANGES)
def test_both_ends_are_allowed_and_their_neighbours_are_not(cls, name, limit):
    for value in (limit.low, limit.default, limit.high):
        assert getattr(cls(**{name: value}), name) == value
    for value in (*outside(limit), math.nan):
        with pytest.raises(UsageError) as refused:
            cls(**{name: value})
        expected = f"Choose {name} between {plain(limit.low)} and {plain(limit.high)}: it is {value}."
        assert str(refused.value) == expected


@pytest.mark.parametrize("cls, name, limit", CHOICES)
def test_choices(cls, name, limit):
    for option in limit.options:
        assert getattr(cls(**{name: option}), name) == option
    with pytest.raises(UsageError, match=f"^Choose {name} among {', '.join(limit.options)}: it is 'other'"):
        cls(**{name: "other"})


def test_defaults_help_and_frozen_fields():
    for cls in CLASSES:
        made = cls()
        for name, limit in all_limits(cls).items():
            assert getattr(made, name) == limit.default and len(limit.help) > 10, name
            with pytest.raises(FrozenInstanceError):
                setattr(made, name, limit.default)


def test_a_narrowed_range_stays_inside():
    steps = limits(settings.SonicSettings, "steps")
    assert settings.STEPS_WIDGET == steps.narrowed(high=100) and settings.STEPS_WIDGET.default == steps.default
    for change in ({"low": 0}, {"high": 1025}, {"default": 2000}):
        with pytest.raises(ValueError):
            steps.narrowed(**change)


def test_engines_refuse_what_the_settings_refuse(small_models):
    from sonic_nodes.weights.models import Models

    models = Models.in_folder(small_models)
    for wrong in ({"audio_strength": 2.01}, {"precision": "fp8"}, {"plan": "fast"}):
        with pytest.raises(UsageError, match=f"^Choose {next(iter(wrong))} "):
            SonicEngine(models, **wrong)
    for engine in (SonicEngine(models), DraftEngine()):
        for seed in (-1, 1 << 64):
            with pytest.raises(UsageError, match="^Choose seed between 0 and 18446744073709551615"):
                engine.infer(clip_data(0.2), seed)
        with pytest.raises(UsageError, match="^Choose "):
            engine.settings(dynamic_scale=2.01)
    for name, limit in all_limits(settings.PrepareSettings).items():
        for value in outside(limit) if isinstance(limit, Range) else ("other",):
            with pytest.raises(UsageError, match=f"^Choose {name} "):
                pipeline.prepare(None, None, **{name: value})
    for value in outside(limits(settings.SharedSettings, "feather")):
        with pytest.raises(UsageError, match="^Choose feather between 0 and 0.5"):
            pipeline.paste_back(None, None, value)


def test_choices_are_those_of_the_code_that_takes_them():
    assert settings.LENGTHS == LENGTHS and plan.KINDS is KINDS
    assert set(settings.PRECISIONS) == {"auto", *DTYPES}


@pytest.mark.parametrize("name", ENGINES)
def test_registered_engines_offer_the_same_calls(name):
    engine = engine_class(name)
    assert issubclass(engine, Engine) and engine.name == name and not engine.__abstractmethods__
    assert isinstance(engine.settings(), ENGINES[name].settings)
    assert isinstance(engine.settings(dynamic_scale=1.5, no_such_input=1), ENGINES[name].settings)


def test_the_draft_engine_has_no_plan():
    assert DraftEngine().plan(clip_data(0.2)) is None and not ENGINES["draft"].has_plan
