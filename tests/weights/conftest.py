"""The small golden networks as files in the layout of ComfyUI's models folder."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.weights.golden_sizes import FILES


@pytest.fixture(scope="session")
def golden_weights(golden_dir):
    """network -> {name in a user's file: tensor}, as stored (fp16)."""
    found = {}
    for network, files in FILES.items():
        tensors = {
            k: v
            for name in files
            for k, v in load_file(golden_dir / f"{name}.safetensors").items()
            if not k.startswith("io_")
        }
        if network.startswith("audio2"):
            tensors = {k.removeprefix(f"{network}."): v for k, v in tensors.items() if k.startswith(f"{network}.")}
        found[network] = tensors
    return found


@pytest.fixture(scope="session")
def models_folder(golden_weights, tmp_path_factory):
    """ComfyUI's `models` with every file of the model, small."""
    root = tmp_path_factory.mktemp("models")
    for folder in ("sonic/whisper-tiny", "sonic/RIFE", "checkpoints"):
        (root / folder).mkdir(parents=True)
    for network in ("unet", "audio2token", "audio2bucket"):
        torch.save(golden_weights[network], root / f"sonic/{network}.pth")
    torch.save(golden_weights["rife"], root / "sonic/RIFE/flownet.pkl", _use_new_zipfile_serialization=False)
    save_file(golden_weights["whisper"], root / "sonic/whisper-tiny/model.safetensors")
    save_file(golden_weights["vae"] | golden_weights["clip_vision"], root / "checkpoints/svd_xt.safetensors")
    return root
