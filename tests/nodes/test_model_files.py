"""What the loaders list, and where they find the other files that a choice needs."""

import os
import shutil
import sys
from types import SimpleNamespace

import pytest
import torch

from sonic_nodes.weights.key_maps import NETWORKS


@pytest.fixture
def models(extension, comfy, small_models):
    """ComfyUI's models folder with small networks."""
    shutil.copytree(small_models, comfy.models)
    return comfy.models


@pytest.fixture
def files(models):
    return sys.modules["sonic_nodes.nodes.model_files"]


def options(node, name):
    return next(slot for slot in node.define_schema().inputs if slot.id == name).options


def test_files_are_listed_by_content(nodes, models):
    (models / "sonic/more").mkdir()
    shutil.copy(models / "sonic/unet.pth", models / "sonic/more/renamed.pth")
    renamed = os.path.join("more", "renamed.pth")
    (models / "sonic/broken.pth").write_bytes(b"PK\x03\x04 broken")
    shutil.copy(models / "checkpoints/svd_xt.safetensors", models / "checkpoints/another.safetensors")
    assert options(nodes["SonicLoader"], "model") == ["built-in draft", renamed, "unet.pth"]
    assert options(nodes["SonicLoader"], "checkpoint") == ["automatic", "another.safetensors", "svd_xt.safetensors"]
    assert options(nodes["SONICTLoader"], "sonic_unet") == ["none", renamed, "unet.pth"]


def test_the_draft_is_listed_without_a_model_folder(nodes):
    assert options(nodes["SonicLoader"], "model") == ["built-in draft"]


def test_nodes_register_when_a_folder_cannot_be_listed(nodes, monkeypatch, caplog):
    monkeypatch.setattr("folder_paths.get_filename_list", lambda folder: 1 / 0)
    assert (
        options(nodes["SonicLoader"], "model") == ["built-in draft"] and "Check ComfyUI's model folders" in caplog.text
    )


def test_folders_registered_by_others_stay(extension, comfy):
    paths = sys.modules["folder_paths"]
    paths.folder_names_and_paths["sonic"] = (["/elsewhere/sonic"], set())
    extension.register_folder()
    extension.register_folder()
    assert paths.folder_names_and_paths["sonic"] == (["/elsewhere/sonic", str(comfy.models / "sonic")], set())


def test_companion_files_are_found_beside_the_unet_or_in_any_sonic_folder(files, models, tmp_path):
    found = files.paths_for("unet.pth", "automatic")
    assert set(found) == set(NETWORKS) and found["rife"] == models / "sonic/RIFE/flownet.pkl"
    assert found["vae"] == found["clip_vision"] == models / "checkpoints/svd_xt.safetensors"
    second = tmp_path / "disk two"
    second.mkdir()
    shutil.move(models / "sonic/unet.pth", second / "unet.pth")
    shutil.move(models / "sonic/audio2token.pth", second / "a2t.pth")
    sys.modules["folder_paths"].add_model_folder_path("sonic", str(second))
    found = files.paths_for("unet.pth", "automatic")
    assert found["unet"] == second / "unet.pth" and found["audio2token"] == second / "a2t.pth"
    assert found["whisper"] == models / "sonic/whisper-tiny/model.safetensors"


def test_the_folder_layout_of_the_published_repository_works(files, models):
    """It keeps the UNet in a folder of its own."""
    (models / "sonic/Sonic").mkdir()
    for name in ("unet.pth", "audio2token.pth", "audio2bucket.pth"):
        shutil.move(models / "sonic" / name, models / "sonic/Sonic" / name)
    found = files.paths_for("Sonic\\unet.pth", "automatic")
    assert set(found) == set(NETWORKS)


def test_missing_files_are_listed_with_folder_size_and_source(nodes, models):
    shutil.rmtree(models / "sonic/RIFE")
    (models / "checkpoints/svd_xt.safetensors").unlink()
    with pytest.raises(ValueError) as raised:
        nodes["SonicLoader"].execute("unet.pth")
    text = str(raised.value)
    assert text.startswith(
        "Put RIFE/flownet.pkl at models/sonic/RIFE/flownet.pkl (12.2 MB, from https://huggingface.co/LeonJoe13/Sonic)."
    )
    assert "Put svd_xt.safetensors at models/checkpoints/svd_xt.safetensors (9.56 GB, from" in text
    assert text.endswith(
        f"2 of the files that unet.pth needs are missing; looked in {models / 'sonic'}, {models / 'checkpoints'}."
    )


def test_sonict_loader_works_without_a_checkpoint(nodes, models, comfy):
    (models / "checkpoints/svd_xt.safetensors").unlink()
    engine, dtype = nodes["SONICTLoader"].execute(None, "unet.pth", 1.0, False, "bf16").args
    assert dtype == torch.bfloat16 and engine.interpolate is False and "vae" not in engine.models.paths


def test_the_fingerprint_changes_with_the_files(nodes, models):
    fingerprint = nodes["SonicLoader"].fingerprint_inputs
    first = fingerprint("unet.pth")
    assert fingerprint("unet.pth", "automatic", precision="fp16") == first
    torch.save(torch.load(models / "sonic/audio2bucket.pth"), models / "sonic/audio2bucket.pth")
    assert fingerprint("unet.pth") != first
    shutil.rmtree(models / "checkpoints")
    assert fingerprint("unet.pth").startswith("Put svd_xt.safetensors")
    assert fingerprint("built-in draft") is None


def test_the_loader_shows_the_licence_note(nodes, models):
    (text,) = nodes["SonicLoader"].execute("unet.pth").ui["text"]
    assert text.startswith("UNet: unet.pth, checkpoint: svd_xt.safetensors.") and "non-commercial" in text


def test_a_missing_file_is_refused_before_the_run(nodes, models):
    message = nodes["SonicLoader"].validate_inputs("absent.pth")
    assert message.startswith("Put ") and "absent" in message and "huggingface.co" in message


def test_a_missing_checkpoint_is_named(nodes, models):
    with pytest.raises(ValueError, match=r"^Put svd_xt.safetensors at .* absent.safetensors is not in "):
        nodes["SonicLoader"].execute("unet.pth", "absent.safetensors")


def test_precision_is_checked(nodes, models):
    with pytest.raises(ValueError, match="^Set precision to one of auto, fp16"):
        nodes["SonicLoader"].execute("unet.pth", precision="fp8")
    nodes["SonicLoader"].execute("unet.pth", "svd_xt.safetensors", "bf16")


# ComfyUI's own objects


class MetaModule(torch.nn.Module):
    """A module with meta tensors of the given names and shapes."""

    def __init__(self, shapes):
        super().__init__()
        for name, shape in shapes.items():
            *path, last = name.split(".")
            module = self
            for step in path:
                if step not in module._modules:
                    module.add_module(step, torch.nn.Module())
                module = module._modules[step]
            module.register_parameter(last, torch.nn.Parameter(torch.empty(shape, device="meta"), requires_grad=False))


def comfy_object(shapes):
    return SimpleNamespace(patcher=SimpleNamespace(model=MetaModule(shapes)))


def vae_shapes():
    key_map = NETWORKS["vae"].key_maps()[0]
    return {name.removeprefix("first_stage_model."): shape for name, shape in key_map.shapes.items()}


def clip_shapes(**sizes):
    return dict(NETWORKS["clip_vision"].key_maps(**sizes)[1].shapes)


def image_vae_shapes():
    return {name: shape for name, shape in vae_shapes().items() if "time_" not in name and "mix_factor" not in name}


def test_objects_of_stable_video_diffusion_are_accepted(extension):
    weights_of_object = sys.modules["sonic_nodes.nodes.comfy_models"].weights_of_object
    vae, clip = comfy_object(vae_shapes()), comfy_object(clip_shapes())
    weights = weights_of_object("vae", vae)
    assert weights.entries["first_stage_model.decoder.conv_in.weight"].shape == (512, 4, 3, 3)
    assert weights_of_object("clip_vision", clip).entries["visual_projection.weight"].shape == (1024, 1280)
    assert (
        weights_of_object("vae", vae).identity
        == weights.identity
        != weights_of_object("vae", comfy_object(vae_shapes())).identity
    )


@pytest.mark.parametrize(
    ("network", "shapes", "reason"),
    [
        ("vae", image_vae_shapes(), "the vae connected to SONIC_PreData is a VAE for single images."),
        ("vae", {"decoder.middle.0.residual.0.gamma": (8,)}, "is the VAE of another model."),
        ("vae", {}, "is an object of another pack."),
        (
            "clip_vision",
            clip_shapes(d=1024, layers=24, inner=4096, out=768),
            "is another CLIP (its embedding size is 768, Sonic needs 1024",
        ),
        ("clip_vision", {"embeddings.weight": (8, 8)}, "is no CLIP ViT-H."),
    ],
)
def test_other_objects_are_refused_in_one_sentence(nodes, network, shapes, reason):
    audio = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
    with pytest.raises(ValueError) as raised:
        nodes["SONIC_PreData"].execute(
            audio, torch.zeros(1, 8, 8, 3), 512, 0.0, 0.18, **{network: comfy_object(shapes)}
        )
    text = str(raised.value)
    assert text.startswith(
        f"Connect the {network} output of Image Only Checkpoint Loader (svd_xt.safetensors), or nothing: "
    )
    assert reason in text and text.count(". ") == 0
