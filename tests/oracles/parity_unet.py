"""The UNet without audio against diffusers' UNetSpatioTemporalConditionModel: random weights, unusual sizes.

SVD conditions its temporal attention on the first frame's image token, Sonic on the mean over frames. Here the token is
the same in all frames, so both agree. Needs diffusers, any version with that class.
"""

import torch

from sonic_nodes.models import unet as model
from tests.oracles import unet_weights

TOLERANCE = 2e-5  # relative, float32
HEAD_DIM = 32
SIZES = {
    "channels": (32, 64, 64, 96),
    "attends": (True, True, True, False),
    "layers": 2,
    "context": 48,
    "embedding": 128,
    "ids": 48,
}
CASES = [(1, 3, 8, 24), (2, 26, 16, 8), (3, 7, 24, 40)]  # branches, frames, rows, columns


def diffusers_unet(weights, head_dim, *, channels, attends, layers, context, embedding, ids):
    """Their network with our weights; theirs requires `embedding` to be 4 channels[0]."""
    try:
        from diffusers import UNetSpatioTemporalConditionModel
    except ImportError as error:
        raise SystemExit(f"Install diffusers to compare with it (pip install diffusers): {error}.") from None

    assert embedding == 4 * channels[0]
    kinds = ["CrossAttn" if attending else "" for attending in attends]
    net = UNetSpatioTemporalConditionModel(
        block_out_channels=channels,
        layers_per_block=layers,
        cross_attention_dim=context,
        addition_time_embed_dim=ids // 3,
        num_attention_heads=tuple(c // head_dim for c in channels),
        projection_class_embeddings_input_dim=ids,
        down_block_types=[f"{kind}DownBlockSpatioTemporal" if kind else "DownBlockSpatioTemporal" for kind in kinds],
        up_block_types=[
            f"{kind}UpBlockSpatioTemporal" if kind else "UpBlockSpatioTemporal" for kind in reversed(kinds)
        ],
    )
    net.load_state_dict({name: w for name, w in weights.items() if "processor" not in name}, assign=True)
    return net.eval()


def relative_error(case, seed) -> float:
    """Of one case: our fp32 output against diffusers'."""
    branches, frames, rows, columns = case
    weights = unet_weights.random(seed, **SIZES)
    generator = torch.Generator().manual_seed(seed + 1)
    sample = torch.randn(branches, frames, 8, rows, columns, generator=generator)
    image = torch.randn(branches, 1, SIZES["context"], generator=generator)
    timestep, ids = 0.7, [12.5, 40.0, 21.0]
    net = model.UNet(weights, HEAD_DIM)
    silent = [torch.zeros(1, 8, SIZES["context"])] * branches
    mask = torch.ones(rows * 8, columns * 8)
    net.prepare(
        model.Conditions(
            image=list(image[:, None]), audio=silent, face_mask=mask, rows=rows, columns=columns, window=frames
        )
    )
    (got,) = net.step(sample, timestep, ids, [0] * frames)
    with torch.inference_mode():
        peer = diffusers_unet(weights, HEAD_DIM, **SIZES)
        expected = peer(sample, torch.tensor(timestep), image, torch.tensor([ids] * branches), return_dict=False)[0]
    return ((got.double() - expected.double()).norm() / expected.double().norm()).item()
