"""Renames the weights of diffusers' and transformers' networks to the names in users' files."""

import torch

from sonic_nodes.weights.shapes import CLIP_PREFIX, VAE_PREFIX

RES = [("spatial_res_block.", ""), ("conv_shortcut", "nin_shortcut"), ("time_mixer.mix_factor", "mix_factor")]
TEMPORAL = [
    ("temporal_res_block.norm1", "time_stack.in_layers.0"),
    ("temporal_res_block.conv1", "time_stack.in_layers.2"),
    ("temporal_res_block.norm2", "time_stack.out_layers.0"),
    ("temporal_res_block.conv2", "time_stack.out_layers.3"),
]
ATTENTION = [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")]


def replaced(name, pairs):
    for old, new in pairs:
        name = name.replace(old, new)
    return name


def vae_name(name, levels):
    """diffusers -> Stability's checkpoint."""
    side, rest = name.split(".", 1)
    if rest.startswith("mid_block.attentions.0."):
        return f"{side}.mid.attn_1.{replaced(rest.removeprefix('mid_block.attentions.0.'), ATTENTION)}"
    if rest.startswith("mid_block.resnets."):
        _, _, number, rest = rest.split(".", 3)
        return f"{side}.mid.block_{int(number) + 1}.{replaced(rest, TEMPORAL + RES)}"
    if rest.startswith(("down_blocks.", "up_blocks.")):
        kind, number, part, index, rest = rest.split(".", 4)
        level = f"down.{number}" if kind == "down_blocks" else f"up.{levels - 1 - int(number)}"
        if part == "resnets":
            return f"{side}.{level}.block.{index}.{replaced(rest, TEMPORAL + RES)}"
        return f"{side}.{level}.{part.removesuffix('rs').removesuffix('e')}e.{rest}"
    return f"{side}." + replaced(rest, [("conv_norm_out", "norm_out"), ("time_conv_out", "conv_out.time_mix_conv")])


def vae_weights(state, levels):
    """The autoencoder, with a separate quantising convolution."""
    found = {}
    for name, value in state.items():
        new = name if name.startswith("quant_conv.") else vae_name(name, levels)
        projection = ".attn_1." in new and ".norm." not in new and new.endswith("weight")
        found[VAE_PREFIX + new] = value[:, :, None, None] if projection else value
    return found


def clip_weights(state):
    """transformers -> open_clip."""
    prefix = "vision_model."
    embeddings = f"{prefix}embeddings."
    found = {
        "class_embedding": state[f"{embeddings}class_embedding"],
        "conv1.weight": state[f"{embeddings}patch_embedding.weight"],
        "positional_embedding": state[f"{embeddings}position_embedding.weight"],
        "proj": state["visual_projection.weight"].t().contiguous(),
    }
    pairs = [
        ("pre_layrnorm", "ln_pre"),
        ("post_layernorm", "ln_post"),
        ("encoder.layers", "transformer.resblocks"),
        ("layer_norm", "ln_"),
        ("self_attn.out_proj", "attn.out_proj"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    ]
    for name, value in state.items():
        if name.startswith(prefix) and "embeddings" not in name and not any(f"{p}_proj" in name for p in "qkv"):
            found[replaced(name.removeprefix(prefix), pairs)] = value
    for name in state:
        if name.endswith("self_attn.q_proj.weight"):
            layer = name.removesuffix("q_proj.weight")
            new = replaced(layer.removeprefix(prefix), pairs).removesuffix("self_attn.") + "attn.in_proj_"
            for kind in ("weight", "bias"):
                found[new + kind] = torch.cat([state[f"{layer}{p}_proj.{kind}"] for p in "qkv"])
    return {CLIP_PREFIX + name: value for name, value in found.items()}
