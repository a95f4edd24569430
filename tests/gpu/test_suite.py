"""The tests of this folder, and a quick part of those of operators, networks, sampler and engine, on the simulated GPU;
`make test-gpu` runs all of them there. In a process of their own: there, the device is PyTorch's accelerator."""

import os
import re
import subprocess
import sys

import pytest

from tests.gpu import on_device, simulated_gpu

QUICK = [
    "tests/gpu",
    "tests/models/test_devices.py::test_parity_holds",
    "tests/models/test_transformer_block.py",
    "tests/torch/test_tensor.py",
    "tests/sampler/test_golden.py",
    "tests/engines/test_golden.py",
    "tests/engines/test_sonic.py::test_as_many_pictures_as_the_sound_lasts",
]
LEFT_OUT = "torch.float16 torch.bfloat16 fp16 bf16 ten_thousand kept_alive 2.04 test_suite"
SELECTED = " and ".join(f"not {name}" for name in LEFT_OUT.split())


def test_the_quick_part_on_the_simulated_gpu():
    try:
        simulated_gpu.library_path()
    except SystemExit as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--device", "simulated:1", "-k", SELECTED]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [*command, *QUICK], cwd=on_device.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 200, done.stdout[-500:]
