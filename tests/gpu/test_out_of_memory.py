"""Memory that runs out on the simulated GPU: recognised whatever the allocator, the device and the release of PyTorch;
in any stage, once costs time alone, and twice ends in the sentence with its remedies."""

import gc
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.engines.stages import Stages
from sonic_nodes.errors import ResourceError
from sonic_nodes.extension.native import call
from sonic_nodes.weights.models import Models
from tests.gpu import on_device
from tests.gpu.test_simulated_gpu import DEVICE
from tests.oracles.engine_runs import clip_data, pictures

OPERATORS = {  # each reaches libtorch by another function of its
    "silu": ((1 << 18,),),
    "sub": ((1 << 18,),) * 2,
    "pad": ((1 << 18,),),
    "linear": ((1 << 10, 256), (256, 256)),
    "gelu": ((1 << 18,),),
    "empty_images": ((1 << 6, 1 << 12),),
}
NUMBERS = {"pad": (0, 1 << 18), "empty_images": (1 << 7,)}


def fill_and_call(gpu, device: int, name: str, asynchronous: bool):
    tensors = [torch.ones(shape, device=f"simulated:{device}") for shape in OPERATORS[name]]
    with gpu.memory_limit(device, gpu.live(device) + 8192, asynchronous):
        call("tensor_operator", tensors, f"op={name}", NUMBERS.get(name, ()))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["native", "cudaMallocAsync"])
@pytest.mark.parametrize("index", [0, 1])
def test_every_function_recognises_it(gpu, index, asynchronous):
    for name in OPERATORS:
        with pytest.raises(ResourceError, match="does not fit in memory"):
            fill_and_call(gpu, index, name, asynchronous)
    gpu.reset()


# As before PyTorch 2.13, which lacks the function for an exception's text.
WITHOUT_TEXT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17"
#endif

void *dlsym(void *library, const char *name)
{
    static void *(*found)(void *, const char *);
    if (!found)
        found = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", OLDEST);
    return strcmp(name, "torch_exception_get_what_without_backtrace") ? found(library, name) : NULL;
}
"""
SCRIPT = """
import sys
from tests.gpu import simulated_gpu
gpu = simulated_gpu.start()
from sonic_nodes.extension.native import call
from tests.gpu.test_out_of_memory import OPERATORS, fill_and_call
import torch
for device in (0, 1):
    for asynchronous in (False, True):
        for name in OPERATORS:
            try:
                fill_and_call(gpu, device, name, asynchronous)
            except Exception as error:
                print(type(error).__name__, name, str(error)[:60])
try:
    call("tensor_operator", [torch.ones(2, n, device="simulated:1") for n in (3, 4)], "op=linear")
except Exception as error:
    print("other", type(error).__name__, error)
"""


def test_without_a_text(gpu, tmp_path):
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("install gcc: this test compiles a function that hides texts of exceptions")
    source, library = tmp_path / "without_text.c", tmp_path / "without_text.so"
    source.write_text(WITHOUT_TEXT)
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=on_device.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4 * len(OPERATORS) + 1, done.stderr
    assert all(line.startswith("ResourceError") for line in lines[:-1]), lines
    assert lines[-1].startswith("other RuntimeError linear on [2,3] [2,4] failed: libtorch gave no reason")


STAGES = {
    "picture": "encoding the portrait with CLIP",
    "encoding": "encoding the portrait",
    "sound": "encoding the recording",
    "constants": "preparing the UNet",
    "sampling": "sampling",
    "decoding": "decoding frames",
    "in_between": "interpolating frames",
}


def run(models) -> tuple[torch.Tensor, np.ndarray, list[str]]:
    notes: list[str] = []
    engine = SonicEngine(models, device=DEVICE, precision="fp32", notify=notes.append)
    data = clip_data(0.2)
    latent = engine.infer(data, 1, SonicSettings(steps=1))
    return latent["samples"], pictures(engine, latent, data), notes


@pytest.fixture(scope="module")
def models(small_models):
    return Models.in_folder(small_models)


@pytest.fixture(scope="module")
def usual(request, small_models):
    if not any(name.startswith("simulated") for name in request.config.getoption("device") or []):
        pytest.skip("run by test_suite.py, or with --device simulated:1")
    return run(Models.in_folder(small_models))


class FailsIn:
    """In one stage, once its networks are loaded: an allocation fails, or with `forever` all of them."""

    def __init__(self, monkeypatch, gpu, stage: str, forever: bool):
        self.gpu, self.forever, self.active = gpu, forever, False
        original, weights = getattr(Stages, stage), Stages._weights

        def within(stages, *arguments, **options):
            self.active = True
            if stage == "sampling":  # its network was loaded by the stage before
                self.arm()
            try:
                return original(stages, *arguments, **options)
            finally:
                self.active = False
                self.disarm()

        def loaded(stages, *arguments):
            self.disarm()
            found = weights(stages, *arguments)
            if self.active:
                self.arm()
            return found

        monkeypatch.setattr(Stages, stage, within)
        monkeypatch.setattr(Stages, "_weights", loaded)

    def arm(self):
        if self.forever or self.gpu.counter("refused") == 0:
            self.gpu.library.simulated_fail_allocations(1, 3, 1 << 30 if self.forever else 1, True)

    def disarm(self):
        self.gpu.library.simulated_fail_allocations(1, 0, 0, False)


@pytest.mark.parametrize("stage", STAGES)
def test_once_in_any_stage_costs_time_alone(gpu, models, usual, monkeypatch, stage):
    FailsIn(monkeypatch, gpu, stage, forever=False)
    samples, made, _ = run(models)
    assert gpu.counter("refused") == 1 and gpu.counter("cache_clearings") == 1
    assert (samples - usual[0]).norm() <= 1e-5 * usual[0].norm()
    assert np.abs(made.astype(int) - usual[1]).max() <= 1


@pytest.mark.parametrize("stage", STAGES)
def test_twice_in_any_stage_ends_in_the_sentence(gpu, models, monkeypatch, stage):
    models.release()
    gc.collect()
    before = gpu.live(1)
    FailsIn(monkeypatch, gpu, stage, forever=True)
    with pytest.raises(
        ResourceError, match="^Close other programs, choose a lower min_resolution or fp16: memory ran "
    ) as e:
        run(models)
    assert f"memory ran out while {STAGES[stage]} (" in str(e.value)
    assert gpu.counter("refused") >= 2 and gpu.counter("cache_clearings") >= 1
    del e
    models.release()
    gc.collect()
    assert gpu.live(1) == before and gpu.peak(0) == 0
