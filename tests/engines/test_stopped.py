"""Runs that are cancelled or run out of memory at any point: the exception is unchanged, no memory stays allocated, and
the next run gives the usual result."""

import os
import tempfile
from functools import lru_cache

import numpy as np
import pytest
import torch

from sonic_nodes.engines.clip_spec import ClipSpec
from sonic_nodes.engines.sonic import SonicEngine, SonicSettings, sampler_settings
from sonic_nodes.engines.stages import Stages, noise_of
from sonic_nodes.errors import ResourceError
from sonic_nodes.progress import progress_callback
from sonic_nodes.weights.models import Models
from tests.oracles.engine_runs import Stop, StopAt, clip_data, operators_of, pictures
from tests.oracles.live import live_tensor_bytes

ONE_STEP = SonicSettings(steps=1)


def run(engine, data, infer_progress=None, decode_progress=None):
    latent = engine.infer(data, 1, ONE_STEP, infer_progress)
    return latent["samples"], pictures(engine, latent, data, progress=decode_progress)


@lru_cache(maxsize=1)
def undisturbed(models):
    infer, decode = StopAt(), StopAt()
    samples, made = run(SonicEngine(Models.in_folder(models)), clip_data(0.4), infer, decode)
    return samples, made, infer.calls, decode.calls


@pytest.fixture
def usual(small_models):
    """The results of an undisturbed run on the device of the tests, and how often its progress is called. A fixture of
    the module would run before --device takes effect."""
    return undisturbed(small_models)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, empty and used by this test only."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_stopped_at_any_point_of_infer(small_models, usual, temporary):
    """At each of the first calls, then at some. The order of the networks does not depend on the machine; the number
    of calls does."""
    engine, data = SonicEngine(Models.in_folder(small_models)), clip_data(0.4)
    run(engine, data)
    engine.cache.clear()
    before = live_tensor_bytes()
    reached = 0
    for call in (1, 2, 3, 4, 5, 7, 9, 12, usual[2] // 2, usual[2]):
        stop = StopAt(call)
        try:
            engine.infer(data, 1, ONE_STEP, stop)
        except Stop:
            reached += 1
        engine.cache.clear()
        assert live_tensor_bytes() == before, call
    assert reached >= 8
    assert os.listdir(temporary) == []
    samples, made = run(engine, data)
    assert torch.equal(samples, usual[0]) and np.array_equal(made, usual[1])


def test_stopped_while_drawing(small_models, usual):
    engine, data = SonicEngine(Models.in_folder(small_models)), clip_data(0.4)
    latent = engine.infer(data, 1, ONE_STEP)
    pictures(engine, latent, data)
    before = live_tensor_bytes()
    reached = 0
    for call in (1, 2, 3, usual[3] // 2):
        try:
            pictures(engine, latent, data, progress=StopAt(call))
        except Stop:
            reached += 1
        assert live_tensor_bytes() == before, call
    assert reached >= 2
    chunks = engine.decode(latent, data)
    next(chunks)
    chunks.close()
    del chunks
    assert live_tensor_bytes() == before
    assert np.array_equal(pictures(engine, latent, data), usual[1])


def test_ctrl_c_comes_through(small_models):
    def pressed(done, total, picture=None):
        raise KeyboardInterrupt

    engine = SonicEngine(Models.in_folder(small_models))
    with pytest.raises(KeyboardInterrupt):
        engine.infer(clip_data(0.2), 1, ONE_STEP, pressed)


def test_memory_that_runs_out_once_costs_time_only(small_models, usual):
    """At every kind of operator: the stage runs once more with less memory, and the result is the usual one."""
    data = clip_data(0.4)

    def fresh():
        return SonicEngine(Models.in_folder(small_models))

    total = operators_of(lambda: run(fresh(), data))
    for share in (0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.9, 0.97, 0.999):
        with progress_callback(None, fail_at=1 + int(share * (total - 1))):
            samples, made = run(fresh(), data)
        assert (samples - usual[0]).norm() <= 1e-5 * usual[0].norm(), share
        assert np.abs(made.astype(int) - usual[1]).max() <= 1, share


def test_any_operator_of_the_loop_may_fail(small_models):
    """All operators after a failed one get null operands: that ends in an error, never in a crash."""
    models, data = Models.in_folder(small_models), clip_data(0.2)
    stages, clip = Stages(models, torch.device("cpu"), torch.float32, False), ClipSpec.of(data, "exact")
    embedding, mean = stages.picture(data), stages.encoding(data)
    tokens = stages.sound(clip, embedding, lambda *_: None)

    def work():
        net = stages.constants(clip, embedding, mean, tokens, 1.0)
        stages.sampling(net, noise_of(clip, 1), mean, tokens.buckets, sampler_settings(ONE_STEP), 3)

    total = operators_of(work)
    for number in (*range(1, 1200, 19), *range(1200, total, 331)):
        with pytest.raises(ResourceError, match="memory ran out while"), progress_callback(None, fail_at=number):
            work()


def test_memory_that_runs_out_twice(small_models, monkeypatch):
    from sonic_nodes.engines import stages

    tried = []

    def never(net, noise, mean, buckets, settings, branches, **_):
        tried.append(branches)
        raise ResourceError("no memory")

    monkeypatch.setattr(stages, "sample", never)
    engine = SonicEngine(Models.in_folder(small_models))
    before = live_tensor_bytes()
    with pytest.raises(
        ResourceError,
        match="^Close other programs, choose a lower min_resolution or fp16: memory ran out while sampling",
    ):
        engine.infer(clip_data(0.2), 1, ONE_STEP)
    assert tried == [3, 1] or tried == [3, 3]
    engine.models.release()
    engine.cache.clear()
    assert live_tensor_bytes() <= before
