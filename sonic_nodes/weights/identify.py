"""Guesses what a weight file is from the names in it, for error messages about files in the wrong place."""

import re

from .entries import Entry

PREFIXES = r"^(module|model\.encoder|encoder|audio2token|audio2bucket)\."
SVD_BLOCK = "down_blocks.0.resnets.0.spatial_res_block.norm1.weight"
WHISPER_SIZES = {384: "tiny", 512: "base", 768: "small", 1024: "medium", 1280: "large"}


def identify(entries: dict[str, Entry]) -> str:
    """A noun phrase for messages."""
    names = {re.sub(PREFIXES, "", name) for name in entries}
    for test in (unets, audio_adapters, checkpoints, other_networks):
        found = test(entries, names)
        if found:
            return found
    return f"a file of {len(entries)} tensors that is not one of Sonic's" if entries else "a file without tensors"


def unets(entries, _names) -> str | None:
    if any(".to_k_ip." in name for name in entries):
        return (
            "Sonic's UNet (unet.pth)"
            if SVD_BLOCK in entries
            else "a UNet with image or audio adapters, but not Sonic's"
        )
    if SVD_BLOCK in entries:
        return "the SVD UNet; Sonic's is unet.pth"
    if any(name.startswith("down_blocks.") for name in entries):
        return "the UNet of another diffusion model"
    return None


def audio_adapters(entries, names) -> str | None:
    if not {"proj1.weight", "proj2.weight", "proj3.weight"} <= names:
        return None
    return "Sonic's audio2token.pth" if "norm.weight" in names else "Sonic's audio2bucket.pth"


def checkpoints(entries, _names) -> str | None:
    vae = any(name.startswith("first_stage_model.") for name in entries)
    if "first_stage_model.decoder.mid.block_1.time_stack.in_layers.2.weight" in entries:
        return (
            "an SVD checkpoint"
            if any(name.startswith("model.diffusion_model.") for name in entries)
            else "the autoencoder of SVD"
        )
    if vae:
        return "a Stable Diffusion checkpoint for images; Sonic needs Stable Video Diffusion's, svd_xt.safetensors"
    if any(name.startswith("decoder.up_blocks.") for name in entries):
        return "an autoencoder in diffusers' names; Sonic takes it from the checkpoint svd_xt.safetensors"
    if any(name.startswith("model.diffusion_model.") for name in entries):
        return "a checkpoint of another diffusion model"
    return None


def other_networks(entries, names) -> str | None:
    if "layers.0.self_attn.q_proj.weight" in names and "conv2.weight" in names:
        width = next(
            (e.shape[0] for name, e in entries.items() if name.endswith("encoder.conv1.weight") and e.shape), 0
        )
        return f"Whisper {WHISPER_SIZES.get(width, 'of another size')}; Sonic needs Whisper tiny"
    if "block0.conv0.0.0.weight" in names:
        return "RIFE's flownet.pkl"
    if any(name.startswith(("vision_model.", "visual.")) or ".open_clip." in name for name in entries):
        return "a CLIP image encoder; Sonic needs ViT-H/14"
    if any("lora" in name for name in entries):
        return "a LoRA; Sonic needs the whole network"
    if any(name.startswith("model.") and "yolo" not in name and name.endswith(".anchors") for name in entries):
        return "a YOLO detector, which these nodes do not need"
    return None
