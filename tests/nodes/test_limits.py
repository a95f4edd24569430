"""Number inputs of the nodes have the limits of the settings (engines/settings.py)."""

import pytest

from sonic_nodes.engines import settings
from sonic_nodes.engines.settings import PrepareSettings, SharedSettings, SonicOptions, SonicSettings, limits

LIMITS = {
    ("SONIC_PreData", "min_resolution"): limits(PrepareSettings, "min_resolution"),
    ("SONIC_PreData", "duration"): limits(PrepareSettings, "duration"),
    ("SONIC_PreData", "expand_ratio"): limits(PrepareSettings, "expand_ratio"),
    ("SONIC_PreData", "start"): limits(PrepareSettings, "start"),
    ("SONIC_PreData", "face_index"): limits(PrepareSettings, "face_index"),
    ("SonicLoader", "audio_strength"): limits(SonicOptions, "audio_strength"),
    ("SonicInference", "seed"): limits(SharedSettings, "seed"),
    ("SonicInference", "inference_steps"): settings.STEPS_WIDGET,
    ("SonicInference", "dynamic_scale"): limits(SonicSettings, "dynamic_scale"),
    ("SonicInference", "motion_scale"): limits(SonicSettings, "motion_scale"),
    ("SonicInference", "appearance_guidance"): limits(SonicSettings, "appearance_guidance"),
    ("SonicInference", "audio_guidance"): limits(SonicSettings, "audio_guidance"),
    ("SonicPasteBack", "feather"): limits(SharedSettings, "feather"),
    ("SONICTLoader", "ip_audio_scale"): settings.COMPAT_AUDIO_STRENGTH,
    ("SONICSampler", "seed"): settings.COMPAT_SEED,
    ("SONICSampler", "inference_steps"): limits(SonicSettings, "steps"),
    ("SONICSampler", "dynamic_scale"): settings.COMPAT_DYNAMIC_SCALE,
    ("SONICSampler", "fps"): limits(SharedSettings, "fps"),
}
CHOICES = {
    ("SONIC_PreData", "crop"): limits(PrepareSettings, "crop"),
    ("SONIC_PreData", "on_mismatch"): limits(PrepareSettings, "on_mismatch"),
    ("SonicLoader", "precision"): limits(SonicOptions, "precision"),
}


def slot_of(nodes, node, name):
    return next(slot for slot in nodes[node].define_schema().inputs if slot.id == name)


@pytest.mark.parametrize(("node", "name"), LIMITS)
def test_numbers(nodes, node, name):
    slot, limit = slot_of(nodes, node, name), LIMITS[node, name]
    found = slot.default, slot.min, slot.max, slot.step
    assert found == (limit.default, limit.low, limit.high, limit.step)
    assert [type(value) for value in found[:3]] == [type(limit.default)] * 3


@pytest.mark.parametrize(("node", "name"), CHOICES)
def test_choices(nodes, node, name):
    slot, limit = slot_of(nodes, node, name), CHOICES[node, name]
    assert (slot.default, tuple(slot.options)) == (limit.default, limit.options)


@pytest.mark.parametrize("engine", ["built-in draft", "Sonic"])
def test_every_value_of_the_nodes_is_accepted_by_both_engines(nodes, engine):
    from sonic_nodes.engines import engine_class

    cls = engine_class("draft" if engine == "built-in draft" else "sonic")
    for node in ("SonicInference", "SONICSampler"):
        for slot in nodes[node].define_schema().inputs:
            if slot.id != "seed" and slot.min is not None and slot.id != "fps":
                cls.settings(**{slot.id: slot.min})
                cls.settings(**{slot.id: slot.max})
