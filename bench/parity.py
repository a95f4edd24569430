"""Every network against tensors recorded from the reference implementation: stage, largest error, tolerance.

Exits 0 only when every row holds. tests/golden/README.md describes the tensors and the tolerances of float32. In
reduced precision every row is the relative error, up to 1e-2 in fp16 and 3e-2 in bf16, which has 8 bits of precision:
diffusers' autoencoder in bf16 differs by 2e-2 from itself in float32 (tests/models/test_oracles.py keeps ours below
that). Clips in bf16 may reach 7e-2: rounding the weights alone changes them by 1.9e-2.

    python -m bench.parity [--golden DIR] [--device cuda] [--dtype fp16] [--check-finite]

The device simulated:0 or simulated:1 is that of tests/gpu.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from sonic_nodes import face
from sonic_nodes.extension.native import _sonic
from sonic_nodes.models import call, sampler
from sonic_nodes.models import unet as unet_model

ROOT = Path(__file__).resolve().parent.parent
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
HALF_TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 3e-2}


@dataclass
class Row:
    stage: str
    error: float
    tolerance: float
    kind: str  # "rel": |a - b| / |b| in the 2-norm; "abs": the largest difference

    @property
    def holds(self) -> bool:
        return self.error <= self.tolerance


class Parity:
    """The golden files, the device and type to run on, and the rows so far."""

    def __init__(self, folder, device: str, dtype: torch.dtype, check_finite: bool):
        self.folder, self.device, self.dtype, self.check_finite = Path(folder), device, dtype, check_finite
        self.rows: list[Row] = []

    def read(self, name: str) -> dict[str, torch.Tensor]:
        return {
            k: v.float() if v.is_floating_point() else v
            for k, v in load_file(self.folder / f"{name}.safetensors").items()
        }

    def weights(self, *names: str) -> dict[str, torch.Tensor]:
        found = {k: v for name in names for k, v in self.read(name).items() if not k.startswith("io_")}
        return {k: v.to(self.device, self.dtype) for k, v in found.items()}

    def run(self, network: str, inputs, weights, numbers=(), probes=()) -> list[torch.Tensor]:
        inputs = {k: v.to(self.device) for k, v in inputs.items()}
        outputs = call.run_network(network, inputs, weights, numbers, probes, self.check_finite)
        return [output.float().cpu() for output in outputs]

    def add(
        self,
        stage: str,
        got: torch.Tensor,
        expected: torch.Tensor,
        tolerance: float,
        kind: str = "rel",
        exact_kind: bool = False,
    ):
        """One row. With `exact_kind` the row does not depend on the type of the networks."""
        if got.shape != expected.shape:
            raise SystemExit(f"{stage}: the shape is {list(got.shape)}, recorded is {list(expected.shape)}")
        if self.dtype != torch.float32 and not exact_kind:
            tolerance, kind = HALF_TOLERANCE[self.dtype], "rel"
        difference = got.double() - expected.double()
        error = difference.norm() / expected.double().norm() if kind == "rel" else difference.abs().max()
        self.rows.append(Row(stage, float(error), tolerance, kind))


def full_mel(parity: Parity) -> torch.Tensor:
    """[80, 3000]: the recorded columns, then the constant of silence."""
    audio = parity.read("audio_mel")
    mel = torch.full((80, 3000), float(audio["mel_tail_constant"]))
    mel[:, :260] = audio["mel"][0]
    return mel


def audio_features(parity: Parity):
    audio = parity.read("audio_mel")
    mel = torch.from_numpy(_sonic.log_mel(audio["mono_16k"].numpy()))
    parity.add("log-mel", mel, full_mel(parity), 1e-4, "abs", exact_kind=True)
    stereo = (audio["stereo_44k_s16"].float() / 32768).mean(1)
    mono = torch.from_numpy(_sonic.resample(stereo.numpy(), 44100, 16000))
    parity.add("resampled to 16 kHz", mono, audio["mono_16k"], 1e-2, exact_kind=True)


def whisper(parity: Parity):
    golden = parity.read("whisper_tiny_enc")
    (states,) = parity.run("whisper", {"mel": full_mel(parity)}, parity.weights("whisper_tiny_enc"), [2])
    for i in range(5):
        parity.add(f"whisper, state {i}", states[:140, i], golden[f"io_hidden_{i}"][0], 1e-4)
    parity.add("whisper, silent end", states[-20:, 4], golden["io_hidden_last_tail"][0], 1e-4)


def audio_adapters(parity: Parity):
    """From the recorded log-mel: Whisper's states, the windows of each frame, and both adapters."""
    golden, pipeline, weights = (
        parity.read("audio_adapters_tiny"),
        parity.read("pipeline_2window"),
        parity.weights("audio_adapters_tiny"),
    )
    (states,) = parity.run("whisper", {"mel": full_mel(parity)}, parity.weights("whisper_tiny_enc"), [2])
    tokens, silence = parity.run("audio_tokens", {"states": states[:32]}, weights, [8])
    parity.add("audio2token, 8 frames", tokens, pipeline["audio_tokens"], 1e-4)
    parity.add("audio2token, silence", silence, golden["io_token_uncond"][0, 0], 1e-5)
    windows = golden["io_token_in"][0].flatten(1)
    (tokens,) = parity.run("audio_tokens_from_windows", {"windows": windows}, weights)
    parity.add("audio2token", tokens, golden["io_token_out"][0], 1e-5)
    (ids,) = parity.run("motion_bucket", {"states": states[:32], "image": pipeline["image_embeds"]}, weights, [8])
    parity.add("audio2bucket, 8 frames", ids, pipeline["bucket_scaled"], 1e-3, "abs")
    inputs = {"windows": golden["io_bucket_audio"].flatten(1), "image": golden["io_bucket_clip"]}
    (raw,) = parity.run("motion_bucket_from_windows", inputs, weights)
    parity.add("audio2bucket", raw, golden["io_bucket_out"].flatten(1), 1e-5)


def clip(parity: Parity):
    golden = parity.read("clip_tiny")
    embeds, first, last = parity.run(
        "clip_vision", {"pixels": golden["io_pixels"]}, parity.weights("clip_tiny"), [2], ["hidden_0", "hidden_last"]
    )
    parity.add("CLIP, embedding", embeds, golden["io_image_embeds"], 1e-5)
    parity.add("CLIP, first state", first, golden["io_hidden_0"], 1e-5)
    parity.add("CLIP, last state", last, golden["io_hidden_last"], 1e-5)


def vae_encoder(parity: Parity):
    golden, weights = parity.read("vae_tiny_io"), parity.weights("vae_tiny_weights")
    own, other = "first_stage_model.encoder.", "conditioner.embedders.3.encoder.encoder."
    separate = {other + k.removeprefix(own): v for k, v in weights.items() if k.startswith(own)}
    separate |= {k: v for k, v in weights.items() if k.startswith("conditioner.")}
    for label, tensors, conditioner in (("folded", weights, 0), ("beside", separate, 1)):
        mean, log_variance = parity.run("vae_encoder", {"picture": golden["image"]}, tensors, [conditioner])
        parity.add(f"VAE encoder, quantising {label}", mean, golden["enc_mean"], 2e-5)
        parity.add(f"VAE encoder, variance, {label}", log_variance, golden["enc_logvar"], 2e-5)


def vae_decoder(parity: Parity):
    golden, weights = parity.read("vae_tiny_io"), parity.weights("vae_tiny_weights")
    for name, frames, chunk in (("dec_5", 5, 8), ("dec_3plus2", 5, 3), ("dec_1_first", 1, 8)):
        (video,) = parity.run("vae_decoder", {"latents": golden["z"][:frames]}, weights, [chunk])
        parity.add(f"VAE decoder, {name}", video, golden[name], 2e-5)


def rife(parity: Parity):
    golden = parity.read("rife_ifnet")
    probes = ["flow0", "flow1", "flow2", "merged0", "merged1", "mask"]
    inputs = {"before": golden["io_img0"], "after": golden["io_img1"]}
    out, *layers = parity.run("rife", inputs, parity.weights("rife_ifnet"), (), probes)
    for name, layer in zip(probes, layers, strict=True):
        parity.add(f"RIFE, {name}", layer, golden[f"io_{name}"], 1e-3 if name.startswith("flow") else 1e-4, "abs")
    parity.add("RIFE, frame between", out, golden["io_out"], 1e-4, "abs")


TINY_HEAD_DIM = 32


def unet_conditions(parity: Parity, golden, face_mask, rows: int, columns: int) -> unet_model.Conditions:
    branches, frames = golden["sample"].shape[:2]
    image = golden["image_embeds"].view(branches, frames, 1, -1).to(parity.device)
    audio = golden["audio_tokens"].view(branches, frames, -1, image.shape[-1]).to(parity.device)
    return unet_model.Conditions(image, audio, face_mask, rows, columns, frames)


def unet(parity: Parity):
    """One step of the three branches, its recorded layers, and the face mask at the four resolutions."""
    golden, weights = parity.read("unet_tiny_io"), parity.weights("unet_tiny_weights_a", "unet_tiny_weights_b")
    net, (rows, columns) = unet_model.UNet(weights, TINY_HEAD_DIM), golden["sample"].shape[-2:]
    layers = [name.removeprefix("act.") for name in golden if name.startswith("act.")]
    once = [name for name in layers if name.endswith("time_pos_embed")]
    each = [name for name in layers if name not in once]
    constants = net.prepare(
        unet_conditions(parity, golden, golden["face_mask"], rows, columns), once, check_finite=parity.check_finite
    )
    sample, ids = golden["sample"].to(parity.device), golden["added_time_ids"][0].tolist()
    out, *outputs = net.step(
        sample, golden["timestep"].item(), ids, range(sample.shape[1]), probes=each, check_finite=parity.check_finite
    )
    parity.add("UNet", out.float().cpu(), golden["out"], 2e-5)
    parity.add("UNet, against float64", out.float().cpu(), golden["out_fp64"], 2e-5)
    unet_layers(parity, golden, dict(zip(once + each, constants + outputs, strict=True)))
    unet_masks(parity, net, golden, "", rows, columns)
    y0, y1, x0, x1 = golden["maskB_rect_y0y1x0x1"].tolist()
    rectangle = torch.zeros(512, 768)
    rectangle[y0:y1, x0:x1] = 1
    net.prepare(unet_conditions(parity, golden, rectangle, 64, 96))
    unet_masks(parity, net, golden, "B", 64, 96)


def unet_layers(parity: Parity, golden, outputs):
    """The layer with the largest error; recorded are the rows of the last branch, or all rows."""
    rows = []
    for name, output in outputs.items():
        expected, got = golden[f"act.{name}"], output.float().cpu()
        got = got.expand(expected.shape) if len(got) == 1 and len(expected) == 3 else got[-len(expected) :]
        rows.append((float((got - expected).norm() / expected.norm()), got, expected))
    _, got, expected = max(rows, key=lambda row: row[0])
    parity.add(f"UNet, worst of {len(rows)} layers", got, expected, 1e-5)


def unet_masks(parity: Parity, net, golden, case: str, rows: int, columns: int):
    sizes = [(rows >> level, columns >> level) for level in range(4)]
    masks = net.constants["masks"].float().cpu().split([h * w for h, w in sizes])
    expected = [golden[f"mask{case}_down_{h}x{w}"].flatten() for h, w in sizes]
    parity.add(f"UNet, face mask{case and ' ' + case}", torch.cat(masks), torch.cat(expected), 1e-5, "abs")


def preparation(parity: Parity):
    """The portrait: crop, size, resized image and mask, in levels of 255."""
    golden = parity.read("preprocess")
    boxes = [
        face.crop_square((int(h), int(w), 3), (x0, y0, x1, y1), ratio)
        for x0, y0, x1, y1, ratio, h, w in golden["bbox_cases_x1y1x2y2_ratio_h_w"].tolist()
    ]
    parity.add(
        "crop square", torch.tensor(boxes).float(), golden["bbox_out_x1y1x2y2"].float(), 0, "abs", exact_kind=True
    )
    for case in "ABC":
        picture = golden[f"{case}_image_u8_hwc"].to(torch.uint8).numpy()
        x, y, width, height = golden[f"{case}_bbox_xywh"].tolist()
        shape = face.prepared_size(picture.shape, 128)
        resized = torch.from_numpy(face.resize(picture, shape)).permute(2, 0, 1).float()
        parity.add(
            f"picture {case}, resized", resized, golden[f"{case}_ref_img_u8_chw"].float(), 1, "abs", exact_kind=True
        )
        mask = face.soft_mask(
            picture.shape, (x, y, x + width, y + height), (0, 0, picture.shape[1], picture.shape[0]), shape
        )
        got = torch.from_numpy(mask * 255).round()
        parity.add(
            f"picture {case}, face mask", got, golden[f"{case}_face_mask_u8_hw"].float(), 1, "abs", exact_kind=True
        )


def schedule(parity: Parity):
    """Noise levels for every recorded number of steps, and three Euler steps."""
    golden = parity.read("scheduler")
    counts = sorted(int(name.removeprefix("sigmas_")) for name in golden if name.startswith("sigmas_"))
    levels = {n: _sonic.karras(n) for n in counts}
    steps = {n: [_sonic.euler_step(*pair) for pair in zip(levels[n], levels[n][1:], strict=False)] for n in counts}
    expected = {"noise levels": "sigmas", "timesteps": "timesteps", "input scales": "c_in"}
    got = {
        "sigmas": levels,
        "timesteps": {n: [s["timestep"] for s in steps[n]] for n in counts},
        "c_in": {n: [s["input"] for s in steps[n]] + [1.0] for n in counts},
    }
    for label, name in expected.items():
        both = [
            torch.cat([torch.as_tensor(table).float() for table in tables])
            for tables in (got[name].values(), [golden[f"{name}_{n}"] for n in counts])
        ]
        parity.add(f"schedule, {label}", *both, 2e-6, exact_kind=True)
    for i in (0, 12, 24):
        s = steps[25][i]
        after = s["keep"] * golden["step_x"] + s["move"] * golden["step_v"]
        parity.add(f"schedule, Euler step {i} of 25", after, golden[f"step{i}_prev"], 1e-6, exact_kind=True)


def clip_conditions(parity: Parity, golden, sound: int, frames: int, window: int):
    """(conditions of the UNet, image latents, motion buckets), from pixels and the log-mel of `sound` / 25 s."""
    adapters = parity.weights("audio_adapters_tiny")
    (image,) = parity.run("clip_vision", {"pixels": golden["clip_pixels"][None]}, parity.weights("clip_tiny"), [2])
    picture, _ = parity.run(
        "vae_encoder", {"picture": golden["ref_img"][None]}, parity.weights("vae_tiny_weights"), [0]
    )
    (states,) = parity.run("whisper", {"mel": full_mel(parity)}, parity.weights("whisper_tiny_enc"), [2])
    tokens, silence = parity.run("audio_tokens", {"states": states[: 2 * sound]}, adapters, [frames])
    (buckets,) = parity.run("motion_bucket", {"states": states[: 2 * sound], "image": image}, adapters, [frames])
    images, sounds = [torch.zeros_like(image)[None], image[None], image[None]], [silence[None], silence[None], tokens]
    pictures = [torch.zeros_like(picture[0]), picture[0], picture[0]]
    lists = [[x.to(parity.device) for x in branches] for branches in (images, sounds, pictures)]
    rows, columns = picture.shape[2:]
    return (
        unet_model.Conditions(*lists[:2], golden["face_mask"].float(), rows, columns, window, lists[2]),
        picture,
        buckets,
    )


CLIPS = {
    "pipeline_2window": (16, sampler.Settings(steps=3, window=5, shift=2)),
    "pipeline_shortclip": (17, sampler.Settings(steps=2, window=9, shift=2, dynamic_scale=1.5)),
}
LATENT_SCALE, DECODED_AT_ONCE = 0.18215, 3
# Guidance amplifies the difference of branches: bf16's error more than doubles from the network to the clip.
LOOP_TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 7e-2}


def sampling(parity: Parity):
    """Whole clips, from pixels and log-mel to latents and frames: two windows, and one longer than the clip."""
    weights = parity.weights("unet_tiny_weights_a", "unet_tiny_weights_b")
    for name, (sound, settings) in CLIPS.items():
        golden, frames = parity.read(name), sampler.latent_count(sound, "upstream")
        net = unet_model.UNet(weights, TINY_HEAD_DIM)
        conditions, picture, buckets = clip_conditions(parity, golden, sound, frames, settings.window)
        net.prepare(conditions, check_finite=parity.check_finite)
        (latents,) = sampler.sample(
            net, golden["noise_latents"][0], picture, buckets, settings, check_finite=parity.check_finite
        )
        tolerance = LOOP_TOLERANCE[parity.dtype]
        parity.add(
            f"{name}, latents",
            latents.float().cpu() * LATENT_SCALE,
            golden["latents_final"][0],
            tolerance,
            exact_kind=True,
        )
        if "video01" in golden:
            (video,) = parity.run(
                "vae_decoder", {"latents": latents}, parity.weights("vae_tiny_weights"), [DECODED_AT_ONCE]
            )
            kind, tolerance = ("abs", 1e-3) if parity.dtype == torch.float32 else ("rel", tolerance)
            video = (video / 2 + 0.5).clamp(0, 1).transpose(0, 1)
            parity.add(f"{name}, pictures", video, golden["video01"][0], tolerance, kind, exact_kind=True)


STAGES = (
    preparation,
    audio_features,
    whisper,
    audio_adapters,
    clip,
    vae_encoder,
    unet,
    schedule,
    sampling,
    vae_decoder,
    rife,
)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--golden", default=ROOT / "tests" / "golden", metavar="DIR")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--check-finite", action="store_true", help="also check every layer for NaN and infinity")
    options = parser.parse_args(argv)
    if options.device.startswith("simulated"):
        from tests.gpu import simulated_gpu

        simulated_gpu.start()
    parity = Parity(options.golden, options.device, DTYPES[options.dtype], options.check_finite)
    for stage in STAGES:
        stage(parity)
    width = max(len(row.stage) for row in parity.rows)
    print(f"{'stage':{width}}  largest error  tolerance       ({options.dtype} on {options.device})")
    for row in parity.rows:
        print(
            f"{row.stage:{width}}  {row.error:13.2e}  {row.tolerance:9.0e} {row.kind}{'' if row.holds else '   FAILS'}"
        )
    failed = sum(not row.holds for row in parity.rows)
    print(f"{len(parity.rows) - failed} of {len(parity.rows)} hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
