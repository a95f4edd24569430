"""The Sonic engine from data to frames, with small random networks."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sonic_nodes.engines import devices
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.errors import InputError, ResourceError, UsageError
from sonic_nodes.memory.plan import Budget
from sonic_nodes.weights.models import Models
from tests.oracles.engine_runs import FAST, SIDE, clip_data, pictures
from tests.oracles.system import put_in_place, take_away


@pytest.mark.parametrize("seconds", [0.04, 0.2, 1, 2.04])
def test_as_many_pictures_as_the_sound_lasts(engine, seconds):
    data = clip_data(seconds)
    latent = engine.infer(data, 1, SonicSettings(steps=1))
    assert (
        latent["samples"].shape == (data["frames"] // 2 + 1, 4, SIDE // 8, SIDE // 8)
        and latent["samples"].dtype == torch.float32
    )
    made = pictures(engine, latent, data)
    assert made.shape == (data["frames"], SIDE, SIDE, 3) and made.dtype == np.uint8
    assert made.std() > 1
    assert np.array_equal(pictures(engine, latent, data, interpolate=False), made[::2])


def test_sound_of_more_than_one_piece(engine):
    """Whisper hears 30 s at a time. The first chunk of pictures shows that the latents can be decoded."""
    data = clip_data(31)
    latent = engine.infer(data, 1, SonicSettings(steps=1))
    assert latent["samples"].shape == (388, 4, SIDE // 8, SIDE // 8) and latent["samples"].isfinite().all()
    assert next(iter(engine.decode(latent, data))).std() > 1


def test_same_seed_same_pictures_and_another_seed_others(engine, small_models):
    data = clip_data(0.6)
    first = engine.infer(data, 7, FAST)
    again = SonicEngine(Models.in_folder(small_models)).infer(data, 7, FAST)
    other = engine.infer(data, 8, FAST)
    assert torch.equal(first["samples"], again["samples"])
    assert np.array_equal(pictures(engine, first, data), pictures(engine, again, data))
    assert (first["samples"] - other["samples"]).abs().max() > 0.1


def test_every_setting_acts(engine):
    data = clip_data(0.6)
    plain = engine.infer(data, 1, FAST)["samples"]
    for change in (
        {"steps": 3},
        {"dynamic_scale": 2.0},
        {"motion_scale": 2.0},
        {"appearance_guidance": 4.0},
        {"audio_guidance": 2.0},
        {"speed": "balanced"},
        {"speed": "fast"},
    ):
        changed = engine.infer(data, 1, SonicSettings(**{"steps": 2} | change))["samples"]
        assert (changed - plain).abs().max() > 1e-4, change
    engine.audio_strength = 0.0
    assert (engine.infer(data, 1, FAST)["samples"] - plain).abs().max() > 1e-4


def test_the_voice_and_the_picture_act(engine):
    plain = engine.infer(clip_data(0.6), 1, FAST)["samples"]
    other_sound = engine.infer(clip_data(0.6) | {"audio": clip_data(0.6, seed=1)["audio"]}, 1, FAST)["samples"]
    other_picture = engine.infer(clip_data(0.6) | {"image": clip_data(0.6, seed=1)["image"]}, 1, FAST)["samples"]
    assert (other_sound - plain).abs().max() > 1e-4 and (other_picture - plain).abs().max() > 1e-2


def test_what_does_not_change_is_computed_once(engine, monkeypatch):
    data, called = clip_data(0.6), []
    load = Models.tensors
    monkeypatch.setattr(Models, "tensors", lambda self, key, *rest: called.append(key) or load(self, key, *rest))
    engine.infer(data, 1, FAST)
    assert {"clip_vision", "vae", "whisper", "audio2token", "audio2bucket", "unet"} == set(called)
    called.clear()
    engine.infer(data, 2, FAST)
    assert called == ["unet"]
    engine.infer(data | {"audio": clip_data(0.6, seed=1)["audio"]}, 2, FAST)
    assert "clip_vision" not in called and "whisper" in called


def test_progress_counts_the_whole_run(small_models):
    engine, data, reports = SonicEngine(Models.in_folder(small_models), plan="sequential"), clip_data(2.4), []
    latent = engine.infer(data, 1, FAST, lambda done, total, picture=None: reports.append((done, total, picture)))
    assert len({total for _, total, _ in reports}) == 1
    counts = [done for done, _, _ in reports]
    assert counts == sorted(counts) and counts[-1] == reports[-1][1] and counts[0] < counts[-1] / 10
    assert len(set(counts)) > 2 * 3 * 2  # each call of the network moves it: steps, branches, windows
    previews = [picture for _, _, picture in reports if picture is not None]
    assert len(previews) >= 2 and previews[0].shape == (SIDE // 8, SIDE // 8, 3) and previews[0].dtype == np.uint8
    reports.clear()
    made = pictures(engine, latent, data, progress=lambda done, total, picture=None: reports.append((done, total)))
    assert reports[-1] == (len(made), len(made)) and [d for d, _ in reports] == sorted(d for d, _ in reports)


def test_upstream_length(engine):
    data = clip_data(1.0)
    latent = engine.infer(data, 1, SonicSettings(steps=1, length="upstream"))
    assert len(latent["samples"]) == 12
    assert len(pictures(engine, latent, data)) == 23
    with pytest.raises(InputError, match="^Use a recording of at least 0.08 s"):
        engine.infer(clip_data(0.05), 1, SonicSettings(length="upstream"))


def test_latents_of_others_are_refused(engine, sample_dir):
    data = clip_data(0.4)
    latent = engine.infer(data, 1, SonicSettings(steps=1))
    for wrong, why in (
        ({"samples": latent["samples"]}, "another sampler"),
        ({"samples": latent["samples"], "sonic": {"engine": "draft"}}, "the built-in draft"),
    ):
        with pytest.raises(UsageError, match=f"^Connect the model that made this latent: it comes from {why}"):
            next(engine.decode(wrong, data))
    with pytest.raises(UsageError, match="^Connect the data that made this latent: it has 10 frames, the data 15"):
        next(engine.decode(latent, clip_data(0.6)))
    with pytest.raises(
        UsageError,
        match="^Connect the data that made this latent: its frames have 64 x 64 pixels, the data's image has 128 x 128",
    ):
        next(engine.decode(latent, clip_data(0.4, side=128)))
    with pytest.raises(UsageError, match="^Connect the model that made this latent: it comes from sonic"):
        next(DraftEngine().decode(latent, data))


OTHERS = {
    "samples": [
        None,
        "x",
        np.zeros((6, 4, 8, 8)),
        torch.zeros(6, 4, 8, 8).int(),
        torch.zeros(8),
        torch.zeros(6, 4, 8, 8) / 0,
    ],
    "sonic": [None, [], "sonic", {}, {"engine": 1}, {"engine": ["sonic"]}, {"engine": "s" * 1000}, {"engine": "sonic"}],
    "settings": [None, "x", [], {}, {"length": None}, {"length": "long"}, {"length": np.zeros(2)}],
    "precision": [None, "fp8", 16, ["fp32"]],
    "frames": [None, "10", 10.0, [10], True],
}


@pytest.mark.parametrize("key", OTHERS)
def test_latents_of_another_make_are_refused(engine, key):
    """A pack, a saved file or a node in between may have changed any part of one."""
    data = clip_data(0.4)
    described = {"engine": "sonic", "frames": 10, "settings": {"length": "exact"}, "precision": "fp32"}
    good = {"samples": torch.zeros(6, 4, SIDE // 8, SIDE // 8), "sonic": described}
    assert len(next(engine.decode(good, data)))
    for value in OTHERS[key]:
        changed = {key: value} if key in good else {"sonic": described | {key: value}}
        with pytest.raises(UsageError, match="^Connect the (latent of Sonic Inference, unchanged:|model |data )"):
            next(engine.decode(good | changed, data))
    for latent in (None, [], "x", {}, {"sonic": described}):
        with pytest.raises(UsageError, match="^Connect the "):
            next(engine.decode(latent, data))


WRONG = [{"steps": 0}, {"steps": 2000}, {"dynamic_scale": float("nan")}, {"audio_guidance": -1}, {"length": "long"}]


@pytest.mark.parametrize("change", WRONG)
def test_settings_out_of_range(change):
    with pytest.raises(UsageError, match="^Choose "):
        SonicSettings(**change)


def test_seed_and_options_out_of_range(engine, small_models):
    with pytest.raises(UsageError, match="^Choose seed between 0 and 18446744073709551615: it is -1"):
        engine.infer(clip_data(0.2), -1, FAST)
    models = Models.in_folder(small_models)
    for wrong in ({"precision": "fp8"}, {"audio_strength": 9}):
        with pytest.raises(UsageError, match="^Choose "):
            SonicEngine(models, **wrong)
    with pytest.raises(UsageError, match="^Choose plan among auto, batched, .*, streamed: it is 'fast'"):
        SonicEngine(models, plan="fast").infer(clip_data(0.2), 1, FAST)


def test_a_face_smaller_than_a_tile(engine):
    data = clip_data(0.2)
    data["mask"][:] = 0
    data["mask"][9, 9] = 1  # between the taps of every tile
    with pytest.raises(InputError, match="^Crop to the face"):
        engine.infer(data, 1, FAST)
    data["mask"][20:30, 20:30] = 1
    notes = engine.infer(data, 1, FAST)["sonic"]["notes"]
    assert notes and notes[0].startswith("Crop to the face (crop 'face'): it is only 11 pixels high")
    data["mask"][:] = 1
    assert engine.infer(data, 1, FAST)["sonic"]["notes"] == []


def test_a_run_that_does_not_fit_is_refused_before_the_work(small_models, monkeypatch):
    engine = SonicEngine(Models.in_folder(small_models), budget=lambda: Budget(None, 1 << 20))
    monkeypatch.setattr(Models, "tensors", lambda *_: pytest.fail("weights were loaded"))
    with pytest.raises(ResourceError):
        engine.infer(clip_data(0.2), 1, FAST)


def test_clip_and_autoencoder_of_the_user_replace_the_models(engine):
    class Clip:
        def embed(self, image):
            return torch.full((1, 32), 0.5)

    class Vae:
        def encode(self, image):
            return torch.full((1, 4, SIDE // 8, SIDE // 8), float(image.mean()) / 255)

        def decode(self, latents):
            return torch.linspace(-1, 1, len(latents))[:, None, None, None].expand(-1, 3, SIDE, SIDE)

    data = clip_data(0.2)
    plain = engine.infer(data, 1, FAST)["samples"]
    own = data | {"clip_vision": Clip(), "vae": Vae()}
    latent = engine.infer(own, 1, FAST)
    assert (latent["samples"] - plain).abs().max() > 1e-3
    made = pictures(engine, latent, own, interpolate=False)
    assert made[0].max() == 0 and made[-1].min() == 255


def test_bf16_is_near_fp32(small_models, engine):
    if not devices.computes_in(engine.device, torch.bfloat16):
        pytest.skip(f"{engine.device} does not compute in bf16; tests/gpu/test_devices.py has what is said of it")
    data = clip_data(0.6)
    exact = engine.infer(data, 1, FAST)
    rough = SonicEngine(Models.in_folder(small_models), precision="bf16").infer(data, 1, FAST)
    assert rough["sonic"]["precision"] == "bf16" and exact["sonic"]["precision"] == "fp32"
    distance = (rough["samples"] - exact["samples"]).norm() / exact["samples"].norm()
    assert 0 < distance < 6e-2  # 8 bits, and guidance makes differences of the branches larger


def test_a_decoder_that_leaves_the_range_of_fp16(small_models, tmp_path):
    """Its first convolution gives values beyond 65504; in a wider type the normalisation after it scales them down."""
    name = "first_stage_model.decoder.conv_in.weight"
    folder = changed_copy(small_models, tmp_path, "checkpoints/svd_xt.safetensors", name, lambda t: t * 3e4)
    notes, data = [], clip_data(0.2)
    engine = SonicEngine(Models.in_folder(folder), precision="fp16", notify=notes.append)
    latent = engine.infer(data, 1, FAST)
    made = pictures(engine, latent, data)
    assert len(made) == 5 and len(notes) == 1 and notes[0].startswith("The decoder left the range of fp16")
    exact = pictures(SonicEngine(Models.in_folder(folder), precision="fp32"), latent, data)
    assert np.array_equal(made, exact)


def test_two_models_in_turn(small_models, tmp_path):
    folder = changed_copy(small_models, tmp_path, "sonic/unet.pth", "conv_in.weight", lambda t: -t)
    data = clip_data(0.4)
    one, two = SonicEngine(Models.in_folder(small_models)), SonicEngine(Models.in_folder(folder))
    alone = one.infer(data, 1, FAST)["samples"]
    other = two.infer(data, 1, FAST)["samples"]
    assert torch.equal(one.infer(data, 1, FAST)["samples"], alone) and not torch.equal(other, alone)
    assert torch.equal(two.infer(data, 1, FAST)["samples"], other)


def changed_copy(models, folder, file, name, change):
    """A copy of the models in which the tensor `name` of a .pth file is change(it)."""
    copy = folder / "models"
    if not copy.exists():
        shutil.copytree(models, copy)
    rewrite(copy / file, name, change)
    return copy


def rewrite(path, name, change):
    pickled, fresh = path.suffix == ".pth", path.with_suffix(".new")
    weights = torch.load(path, weights_only=True) if pickled else load_file(path)
    weights[name] = change(weights[name])
    (torch.save if pickled else save_file)(weights, fresh)
    put_in_place(fresh, path)


def test_weights_that_change_on_disk_are_read_again(small_models, tmp_path):
    folder = changed_copy(small_models, tmp_path, "sonic/unet.pth", "conv_in.weight", lambda t: t)
    engine, data = SonicEngine(Models.in_folder(folder)), clip_data(0.4)
    before = engine.infer(data, 1, FAST)["samples"]
    rewrite(folder / "sonic/unet.pth", "conv_in.weight", lambda t: -t)
    assert not torch.equal(engine.infer(data, 1, FAST)["samples"], before)
    rewrite(folder / "sonic/unet.pth", "conv_in.weight", lambda t: -t)
    assert torch.equal(engine.infer(data, 1, FAST)["samples"], before)
    rewrite(folder / "sonic/audio2token.pth", "norm.bias", lambda t: t + 1)
    assert not torch.equal(engine.infer(data, 1, FAST)["samples"], before)


def test_weights_that_vanish_or_break(small_models, tmp_path):
    folder = changed_copy(small_models, tmp_path, "sonic/unet.pth", "conv_in.weight", lambda t: t)
    engine, data = SonicEngine(Models.in_folder(folder)), clip_data(0.2)
    engine.infer(data, 1, FAST)
    whole = (folder / "sonic/unet.pth").read_bytes()
    take_away(folder / "sonic/unet.pth")
    with pytest.raises(InputError, match="^Put the weight file back at .*unet.pth"):
        engine.infer(data, 1, FAST)
    (folder / "sonic/unet.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="^Download unet.pth again"):
        engine.infer(data, 1, FAST)
    (folder / "sonic/unet.pth").write_bytes(whole)
    assert len(engine.infer(data, 1, FAST)["samples"]) == 3


PLACES = {  # where a NaN is put, and the layer that is named
    "unet": ("sonic/unet.pth", "mid_block.attentions.0.proj_in.bias", "mid_block.attentions.0"),
    "unet's sound": (
        "sonic/unet.pth",
        "up_blocks.3.attentions.0.transformer_blocks.0.attn2.processor.to_v_ip.0.weight",
        "up_blocks.3",
    ),
    "tokens": ("sonic/audio2token.pth", "proj2.bias", "audio2token"),
    "buckets": ("sonic/audio2bucket.pth", "proj2.bias", "audio2bucket"),
    "whisper": ("sonic/whisper-tiny/model.safetensors", "model.encoder.layers.2.fc1.bias", "layers.2"),
    "clip": (
        "checkpoints/svd_xt.safetensors",
        "conditioner.embedders.0.open_clip.model.visual.ln_post.bias",
        "clip|hidden|visual|CLIP",
    ),
    "encoder": ("checkpoints/svd_xt.safetensors", "first_stage_model.encoder.mid.block_1.norm1.bias", "encoder.mid"),
    "decoder": ("checkpoints/svd_xt.safetensors", "first_stage_model.decoder.up.2.block.1.norm1.bias", "decoder.up.2"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_nan_in_the_weights_is_named(small_models, tmp_path, place):
    file, name, layer = PLACES[place]
    folder = changed_copy(small_models, tmp_path, file, name, lambda t: t.fill_(float("nan")))
    engine, data = SonicEngine(Models.in_folder(folder)), clip_data(0.2)
    with pytest.raises(InputError, match=layer) as error:
        pictures(engine, engine.infer(data, 1, FAST), data)
    assert "finite" in str(error.value) and str(error.value).startswith(("Use ", "Choose "))
