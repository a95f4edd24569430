"""bench/parity.py on every device and in every precision."""

import pytest
import torch

from bench import parity
from sonic_nodes.models.call import run_network
from tests.models.golden import read, relative, weights


@pytest.mark.parametrize("dtype", parity.DTYPES)
def test_parity_holds(dtype, device, golden_dir, capsys, monkeypatch):
    """PyTorch has no fast float16 convolutions for CPUs: the autoencoder decodes one latent, in the test below, and
    whole clips are sampled in tests/sampler."""
    if dtype == "fp16" and device.startswith(("cpu", "simulated")):
        fast = [stage for stage in parity.STAGES if stage not in (parity.sampling, parity.vae_decoder)]
        monkeypatch.setattr(parity, "STAGES", fast)
    assert parity.main(["--golden", str(golden_dir), "--device", device, "--dtype", dtype]) == 0, (
        capsys.readouterr().out
    )


def test_one_latent_is_decoded_in_float16():
    golden, tensors = read("vae_tiny_io"), weights("vae_tiny_weights", torch.float16)
    (video,) = run_network("vae_decoder", {"latents": golden["z"][:1]}, tensors, [8])
    assert relative(video, golden["dec_1_first"]) < parity.HALF_TOLERANCE[torch.float16]
