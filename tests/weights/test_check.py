"""Files compared with networks: names, shapes, types; messages on a mismatch; conversion; the command."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from sonic_nodes.commands import cli, models
from sonic_nodes.errors import InputError, OutputError, ResourceError, UsageError
from sonic_nodes.weights import files, shapes
from sonic_nodes.weights.check import load, match_names
from sonic_nodes.weights.convert import atomic_folder, write_safetensors
from sonic_nodes.weights.identify import identify
from sonic_nodes.weights.key_maps import NETWORKS
from sonic_nodes.weights.reader import open_weights
from tests.weights.golden_sizes import SIZES

PLACES = {network: file.places[0] for file in files.FILES for network in file.networks}


def numbers(table):
    return sum(torch.Size(shape).numel() for shape in table.values())


def test_sizes_of_the_published_networks():
    """Counts of tensors and parameters that the published files have."""
    assert (len(shapes.unet()), numbers(shapes.unet())) == (1492, 1_575_741_162)
    assert numbers(shapes.audio2token()) == 54_300_672
    assert numbers(shapes.audio2bucket()) == 21_762_050
    assert numbers(shapes.whisper()) == 8_208_384
    assert (len(shapes.vae_encoder()), len(shapes.vae_decoder())) == (106, 266)
    assert numbers(shapes.clip_open()) == numbers(shapes.clip_transformers()) == 632_076_800
    assert len(shapes.rife()) == 3 * 40


def test_every_network_has_a_file():
    assert {network for file in files.FILES for network in file.networks} == set(NETWORKS)


@pytest.mark.parametrize("network", NETWORKS)
def test_load_from_users_files(network, models_folder, golden_weights):
    got = load(network, models_folder / PLACES[network], **SIZES[network])
    prefix = {"audio2token": "audio2token.", "audio2bucket": "audio2bucket."}.get(network, "")
    expected = {prefix + name: value for name, value in golden_weights[network].items()}
    if network == "vae":
        expected = {name: value for name, value in expected.items() if name.startswith("first_stage_model.")}
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name].to(got[name].dtype)) for name in got)
    assert {t.dtype for t in got.values()} == {torch.float32 if network == "vae" else torch.float16}


def test_one_type_on_request(models_folder):
    got = load("whisper", models_folder / PLACES["whisper"], torch.bfloat16, **SIZES["whisper"])
    assert {t.dtype for t in got.values()} == {torch.bfloat16}


@pytest.mark.parametrize("prefix", ["model.", ""])
def test_whisper_with_and_without_prefix_and_with_its_decoder(prefix, golden_weights, tmp_path):
    tensors = {prefix + name.removeprefix("model."): value for name, value in golden_weights["whisper"].items()}
    decoder = {f"{prefix}decoder.layer_norm.weight": torch.zeros(3), "proj_out.weight": torch.zeros(2)}
    save_file(tensors | decoder, tmp_path / "w.safetensors")
    assert load("whisper", tmp_path / "w.safetensors", **SIZES["whisper"]).keys() == golden_weights["whisper"].keys()


def test_rife_without_prefix_and_with_its_unused_block(golden_weights, tmp_path):
    tensors = {name.removeprefix("module."): value for name, value in golden_weights["rife"].items()}
    torch.save(tensors | {"block_tea.conv0.0.0.weight": torch.zeros(2)}, tmp_path / "flownet.pkl")
    assert load("rife", tmp_path / "flownet.pkl").keys() == golden_weights["rife"].keys()


def test_vae_with_the_conditioners_encoder(golden_weights, tmp_path):
    own, other = "first_stage_model.encoder.", "conditioner.embedders.3.encoder.encoder."
    tensors = {
        name.replace(own, other): value for name, value in golden_weights["vae"].items() if not name.startswith(other)
    }
    tensors |= {name: value for name, value in golden_weights["vae"].items() if name.startswith("conditioner.")}
    save_file(tensors, tmp_path / "svd.safetensors")
    got = load("vae", tmp_path / "svd.safetensors", **SIZES["vae"])
    assert got.keys() == tensors.keys() and not any(name.startswith(own) for name in got)


def test_clip_in_transformers_names(golden_weights, tmp_path):
    table = shapes.clip_transformers(**SIZES["clip_vision"])
    tensors = {name: torch.zeros(shape) for name, shape in table.items()} | {
        "vision_model.embeddings.position_ids": torch.arange(17)
    }
    save_file(tensors, tmp_path / "clip.safetensors")
    assert load("clip_vision", tmp_path / "clip.safetensors", **SIZES["clip_vision"]).keys() == table.keys()


# Mismatches


def refusal(network, path, **sizes):
    with pytest.raises(InputError) as caught:
        match_names(network, open_weights(path), **(sizes or SIZES[network]))
    return str(caught.value)


@pytest.mark.parametrize("network, wrong", [(a, b) for a in NETWORKS for b in NETWORKS if PLACES[a] != PLACES[b]])
def test_swapped_files_are_named(network, wrong, models_folder, tmp_path):
    """Every file in every other's place: the remedy first, then what the file is."""
    shutil.copy(models_folder / PLACES[wrong], tmp_path / "put_here")
    text = refusal(network, tmp_path / "put_here")
    assert text.startswith(f"Put {files.file_of(network).name} at models/{PLACES[network]} (")
    known = {
        "unet": "Sonic's UNet",
        "audio2token": "Sonic's audio2token.pth",
        "audio2bucket": "Sonic's audio2bucket.pth",
        "rife": "RIFE's flownet.pkl",
        "whisper": "Whisper",
        "vae": "the autoencoder of SVD",
        "clip_vision": "the autoencoder of SVD",
    }
    assert (
        f"put_here is {known[wrong]}" in text and ("Missing: " in text or "Unexpected: " in text) and len(text) < 3000
    )


def test_svd_unet_in_place_of_sonics(golden_weights, tmp_path):
    torch.save({k: v for k, v in golden_weights["unet"].items() if "_ip" not in k}, tmp_path / "unet.pth")
    text = refusal("unet", tmp_path / "unet.pth")
    assert "is the SVD UNet; Sonic's is unet.pth and does not fit" in text
    assert "Put unet.pth at models/sonic/unet.pth (6.30 GB, from https://huggingface.co/LeonJoe13/Sonic)." in text
    assert "attn2.processor.to_k_ip.0.weight" in text and "and 59 more" in text


def test_missing_wrong_and_unexpected_tensors_are_listed(golden_weights, tmp_path):
    tensors = dict(golden_weights["audio2token"])
    del tensors["norm.bias"]
    tensors["proj2.weight"] = torch.zeros(48, 47)
    tensors["proj4.weight"] = torch.zeros(2)
    torch.save(tensors, tmp_path / "a.pth")
    text = refusal("audio2token", tmp_path / "a.pth")
    assert "Missing: norm.bias." in text
    assert "Wrong shape: proj2.weight [48, 47], expected [48, 48]." in text
    assert "Unexpected: proj4.weight." in text


def test_small_network_is_not_the_published_one(models_folder):
    assert "conv_in.weight [32, 8, 3, 3], expected [320, 8, 3, 3]" in refusal(
        "unet", models_folder / PLACES["unet"], ids=256
    )


def test_type_that_is_no_float(golden_weights, tmp_path):
    torch.save(golden_weights["audio2token"] | {"norm.bias": torch.zeros(32, dtype=torch.int64)}, tmp_path / "a.pth")
    assert refusal("audio2token", tmp_path / "a.pth").startswith("Convert ")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_values_that_are_not_finite(value, golden_weights, tmp_path):
    tensors = {name: tensor.clone() for name, tensor in golden_weights["audio2token"].items()}
    tensors["proj3.bias"][17] = value
    torch.save(tensors, tmp_path / "a.pth")
    assert load("audio2token", tmp_path / "a.pth", **SIZES["audio2token"])
    with pytest.raises(InputError, match="^Download a.pth again .* 'proj3.bias' holds NaN or infinity"):
        load("audio2token", tmp_path / "a.pth", check_values=True, **SIZES["audio2token"])


@pytest.mark.parametrize(
    "names, expected",
    [
        (["down_blocks.0.resnets.0.conv1.weight"], "the UNet of another diffusion model"),
        (
            ["first_stage_model.encoder.conv_in.weight", "model.diffusion_model.x"],
            "a Stable Diffusion checkpoint for images",
        ),
        (["model.diffusion_model.input_blocks.0.0.weight"], "a checkpoint of another diffusion model"),
        (["decoder.up_blocks.0.resnets.0.conv1.weight"], "an autoencoder in diffusers' names"),
        (["lora_unet_down.lora_up.weight"], "a LoRA"),
        (["vision_model.pre_layrnorm.weight"], "a CLIP image encoder"),
        (["fc.weight"], "a file of 1 tensors that is not one of Sonic's"),
        ([], "a file without tensors"),
    ],
)
def test_identify(names, expected, tmp_path):
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "x.pth")
    assert identify(open_weights(tmp_path / "x.pth").entries).startswith(expected)


# Conversion


@pytest.mark.parametrize("dtype", [None, torch.float16], ids=str)
def test_convert_and_load_again(dtype, models_folder, tmp_path):
    out = models.convert(models_folder, tmp_path / "new" / "sonic", dtype, **SIZES)
    assert sorted(os.listdir(tmp_path / "new")) == ["sonic"]
    for network in NETWORKS:
        found = next(f for f in files.find(out) if network in f.file.networks)
        before = load(network, models_folder / PLACES[network], dtype, **SIZES[network])
        after = load(network, found.path, **SIZES[network])
        assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
        # the library accepts our file
        assert load_file(found.path).keys() == open_weights(found.path).entries.keys()


def test_convert_leaves_nothing_behind(models_folder, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "write_safetensors", fail)
    with pytest.raises(OutputError, match="^Choose a writable output folder: .*No space left"):
        models.convert(models_folder, tmp_path / "out", **SIZES)
    assert not os.listdir(tmp_path)


def test_convert_refuses(models_folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="^Choose an output folder that does not exist yet"):
        models.convert(models_folder, tmp_path / "full", **SIZES)
    with (
        pytest.raises(ResourceError, match="^Choose a disk with 1000000.00 GB of free space"),
        atomic_folder(tmp_path / "big", 10**15),
    ):
        pass
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="^Put unet.pth at .*It is missing in"):
        models.convert(tmp_path / "none", tmp_path / "out")
    assert (tmp_path / "full" / "mine.txt").read_text() == "keep" and not (tmp_path / "out").exists()


def test_writer_keeps_types(tmp_path):
    tensors = {"a": torch.randn(3, 2).bfloat16(), "b": torch.randn(5), "c": torch.randn(2, 2).half().t()}
    write_safetensors(tmp_path / "x", tensors)
    back = load_file(tmp_path / "x")
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items())


# The command


def test_models_lists_what_is_missing(tmp_path, capsys):
    assert cli.main(["models", "--models", str(tmp_path)]) == 7
    out = capsys.readouterr().out
    assert out.count("NO ") == 6 and "non-commercial use only" in out
    for file in files.FILES:
        assert f"models/{file.places[0]}" in out


def test_models_as_json(models_folder, capsys):
    assert cli.main(["models", "--models", str(models_folder), "--json"]) == 7
    findings = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    rife = findings["RIFE/flownet.pkl"]  # the golden one has the published size
    assert rife["ok"] and rife["dtypes"] == ["fp16"]
    assert not findings["unet.pth"]["ok"] and "Wrong shape" in findings["unet.pth"]["detail"]


def test_models_thorough(models_folder, capsys):
    cli.main(["models", "--models", str(models_folder / "sonic"), "--thorough", "--json"])
    rife = next(item for item in json.loads(capsys.readouterr().out) if item["name"] == "RIFE/flownet.pkl")
    assert rife["ok"] and "but not the published file" in rife["detail"]


def test_models_of_a_folder_that_is_none(tmp_path, capsys):
    assert cli.main(["models", "--models", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("sonic: Name ComfyUI's models folder with --models")


def test_convert_on_the_command_line(tmp_path, capsys):
    assert cli.main(["models", "convert", "--models", str(tmp_path), "-o", str(tmp_path / "out")]) == 3
    assert "It is missing in" in capsys.readouterr().err


def test_help_says_the_terms_and_does_not_wait_for_torch():
    script = """
import sys
from sonic_nodes.commands import cli
try:
    cli.main(["models", "--help"])
except SystemExit:
    sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "non-commercial use only" in done.stdout
