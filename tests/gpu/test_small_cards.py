"""The published networks on cards of 4 and 6 GB, counted on the simulated GPU without being computed: what they hold is
what the plan says that they hold."""

import pytest
import torch

from sonic_nodes.memory import estimate, plan
from sonic_nodes.memory.plan import GIB, Budget
from sonic_nodes.memory.stage import Stage
from sonic_nodes.models.call import run_network
from sonic_nodes.models.constants import CHUNK, WINDOW
from sonic_nodes.models.sampler import Settings, sample
from sonic_nodes.models.unet import Conditions, UNet
from sonic_nodes.weights.streamed import is_streamed
from tests.models.golden import weights

DEVICE = "simulated:1"
FREE_SHARE = 0.6 * GIB  # of a card for driver, desktop and PyTorch itself
# (pixels of a side, GiB of the card, its plan)
CARDS = [(512, 4, "batched, streamed"), (1024, 6, "sequential, streamed")]


def planned(side: int, card: int, kind: str) -> plan.Plan:
    made = plan.make(side // 8, side // 8, WINDOW, Budget(round(card * GIB - FREE_SHARE), 64 * GIB), steps=2)
    assert made.kind == kind
    return made


def empty(*shape: int, **options) -> torch.Tensor:
    """Without values, in the memory format of a weight."""
    format = estimate.MEMORY_FORMATS.get(len(shape), torch.contiguous_format)
    return torch.empty(shape, dtype=torch.float16, memory_format=format, **({"device": DEVICE} | options))


def streamed_unet(side: int) -> UNet:
    """The published UNet, most of its weights in pinned memory, prepared for three branches."""
    m, rows = estimate.model(plan.network_dtypes(torch.float16), gpu=True), side // 8
    net = UNet(
        {
            name: torch.zeros(shape)
            if name.endswith("mix_factor")
            else empty(*shape, **({"device": "cpu", "pin_memory": True} if is_streamed(name, shape) else {}))
            for name, shape in m["unet"].table
        }
    )
    tokens, context = estimate.token_shape(m)
    net.prepare(
        Conditions(
            image=[empty(1, 1, context)] * 3,
            audio=[torch.zeros(n, tokens, context) for n in (1, 1, WINDOW)],
            face_mask=torch.ones(side, side),
            rows=rows,
            columns=rows,
            window=WINDOW,
            image_latents=[torch.empty(4, rows, rows, device=DEVICE)] * 3,
        )
    )
    return net


def check(gpu, before: int, stage: plan.StageEstimate) -> None:
    """The peak is what the plan says without its margin, to a twentieth: a copy inside an operator may add to it, which
    the margin is for."""
    assert gpu.peak(1) - before == pytest.approx(stage.peak - stage.margin, rel=0.05)


@pytest.mark.parametrize(("side", "card", "kind"), CARDS)
def test_sampling_with_streamed_weights(gpu, side, card, kind):
    made, before = planned(side, card, kind), gpu.live(1)
    with gpu.count_only(), gpu.memory_limit(1, before + made.budget):
        net = streamed_unet(side)
        noise = torch.empty(WINDOW, 4, side // 8, side // 8, device=DEVICE)
        gpu.reset()
        sample(net, noise, noise[:1], torch.zeros(WINDOW, 2), Settings(steps=2), made.branches_at_once)
    check(gpu, before, made.stage(Stage.SAMPLING))
    assert gpu.counter("unordered") == 0
    assert made.stage(Stage.SAMPLING).weights < 0.15 * estimate.streamed_bytes(
        estimate.model(plan.network_dtypes(torch.float16), gpu=True)
    )


@pytest.mark.parametrize(("side", "card", "kind"), CARDS)
def test_decoding(gpu, side, card, kind):
    made, before = planned(side, card, kind), gpu.live(1)
    m = estimate.model(plan.network_dtypes(torch.float16), gpu=True)
    with gpu.count_only(), gpu.memory_limit(1, before + made.budget):
        decoder = {name: empty(*shape) for name, shape in m["vae"].table}
        latents = torch.empty(CHUNK, 4, side // 8, side // 8, device=DEVICE)
        gpu.reset()
        run_network("vae_decoder", {"latents": latents}, decoder, [CHUNK])
    check(gpu, before, made.stage(Stage.DECODING))


def test_normalising_in_parts_changes_rounding_alone(gpu):
    """Of a frame, where PyTorch would copy it twice: into groups of channels, as many as 32."""
    vae = {name: w.to(DEVICE) for name, w in weights("vae_tiny_weights").items()}
    latents = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    (whole,) = run_network("vae_decoder", {"latents": latents}, vae, [3])
    for part_values in (10_000, 500, 1):
        (parts,) = run_network("vae_decoder", {"latents": latents}, vae, [3, part_values])
        assert (parts - whole).abs().max() < 1e-5 * whole.abs().max()
