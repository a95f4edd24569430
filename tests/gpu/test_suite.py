"""The tests of this folder, and those of operators, networks, sampler and engine, on the simulated GPU. In processes of
their own: there, the device is PyTorch's accelerator."""

import os
import re
import subprocess
import sys

import pytest

from tests.gpu import on_device, simulated_gpu

DEVICE = "simulated:1"
# Each folder, and how many of its tests must pass at least: most of those that need neither transformers nor diffusers,
# so that nothing leaves them out unseen.
PASSED = {"gpu": 165, "torch": 470, "models": 95, "sampler": 90, "engines": 90}


def test_every_folder_is_run():
    assert set(PASSED) == {"gpu", *on_device.FOLDERS}


@pytest.mark.parametrize("folder", PASSED)
def test_on_the_simulated_gpu(folder, request):
    if request.config.getoption("device"):
        pytest.skip("this run has a device of its own: name the folders to run there")
    try:
        simulated_gpu.library_path()
    except SystemExit as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--device", DEVICE, f"tests/{folder}"]
    done = subprocess.run(
        command,
        cwd=on_device.ROOT,
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= PASSED[folder], done.stdout[-3000:]
