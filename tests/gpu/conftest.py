"""The simulated GPU for the tests in this folder that compute on it. They run where pytest is told so, `--device
simulated:1`; test_suite.py tells a pytest of its own."""

import pytest


@pytest.fixture
def gpu(request):
    """simulated_gpu.SimulatedGpu, with its counters at 0."""
    if not any(name.startswith("simulated") for name in request.config.getoption("device") or []):
        pytest.skip("run by test_suite.py, or with --device simulated:1")
    from tests.gpu import simulated_gpu

    started = simulated_gpu.start()
    started.reset()
    return started
