"""What each stage of a run takes: operations and bytes, from running the very networks on torch's meta device
(csrc/torch/cost_meter.h).

Nothing is allocated and nothing computed: every operator says how large its result would be. What an operator needs
inside itself (workspace of cuDNN, packed copies in oneDNN) is not seen; plan.py adds a margin for it. With another
device the same calls are made with random weights and measured: that is what foresight is tested against.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch

from ..models.call import METER, run_network
from ..models.sampler import Settings, sample
from ..models.unet import Conditions, UNet
from ..weights import shapes

# frames of a window, of a decoded chunk, of a block of sound; branches of the guidance
WINDOW, CHUNK, BLOCK, BRANCHES = 25, 8, 375, 3
SEEN = WINDOW + 1  # frames of the shortest clip whose latents are larger than a window's
MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
WHISPER_COLUMNS, CLIP_HEADS, WHISPER_HEADS, HEAD_DIM = 3000, 16, 6, 64
FILES = ("whisper", "clip_vision", "audio2token", "audio2bucket", "vae", "unet", "rife")
NETWORKS = (*FILES, "vae encoder")  # the autoencoder's file is loaded twice where its halves compute in different types
STAGES = {  # stage: the networks that it needs beside the activations
    "picture": ("clip_vision",),
    "encoding": ("vae encoder",),
    "sound": ("whisper", "audio2token", "audio2bucket"),
    "constants": ("unet",),
    "sampling": ("unet",),
    "decoding": ("vae",),
    "in between": ("rife",),
}


@dataclass(frozen=True)
class Cost:
    """Of one call of a network. Bytes are those of results, above weights and operands."""

    convolution_flops: int
    product_flops: int
    attention_flops: int
    moved_bytes: int
    live_bytes: int  # of what it returns
    peak_bytes: int

    @property
    def flops(self) -> int:
        return self.convolution_flops + self.product_flops + self.attention_flops

    @property
    def work(self) -> tuple[int, int, int, int]:
        return self.convolution_flops, self.product_flops, self.attention_flops, self.moved_bytes

    def times(self, count: float) -> "Cost":
        """Of `count` calls, one after another, whose results are not kept."""
        return Cost(*(round(count * amount) for amount in self.work), self.live_bytes, self.peak_bytes)

    def then(self, other: "Cost") -> "Cost":
        """Of one after the other; the first one's results are not kept."""
        work = (a + b for a, b in zip(self.work, other.work, strict=True))
        return Cost(*work, other.live_bytes, max(self.peak_bytes, other.peak_bytes))

    def beside(self, held_bytes: int) -> "Cost":
        return Cost(*self.work, self.live_bytes, self.peak_bytes + held_bytes)


@dataclass(frozen=True)
class Network:
    """A network's names and shapes, and the type that it computes in."""

    table: tuple[tuple[str, tuple[int, ...]], ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return self.dtype.itemsize * sum(math.prod(shape) for _, shape in self.table)


@dataclass(frozen=True)
class Model:
    """All networks of a model and what their shapes do not tell."""

    networks: tuple[tuple[str, Network], ...]
    head_dim: int = HEAD_DIM
    whisper_heads: int = WHISPER_HEADS
    clip_heads: int = CLIP_HEADS
    gpu: bool = False  # whether results are laid out as kernels on a GPU do
    device: str = "meta"

    @property
    def meter(self) -> bool | str:
        return "gpu" if self.gpu else True

    def __getitem__(self, key: str) -> Network:
        return dict(self.networks)[key]

    def bytes(self, keys) -> int:
        return sum(self[key].bytes for key in keys)

    def all_bytes(self) -> int:
        """Of every file's network, in the larger type where it is needed in two."""
        return self.bytes(FILES) + max(0, self["vae encoder"].bytes - self["vae"].bytes)


def model(dtypes: Mapping[str, torch.dtype], sizes: Mapping[str, dict] | None = None, **options) -> Model:
    """dtypes: of each network. sizes: as weights/tables.py takes them; None: the published ones. options: of Model."""
    sizes = sizes or {}
    makers = {
        "unet": shapes.unet,
        "whisper": lambda **s: shapes.with_prefix("model.", shapes.whisper(**s)),
        "audio2token": lambda **s: shapes.with_prefix("audio2token.", shapes.audio2token(**s)),
        "audio2bucket": lambda **s: shapes.with_prefix("audio2bucket.", shapes.audio2bucket(**s)),
        "vae": lambda **s: shapes.with_prefix(shapes.VAE_PREFIX, shapes.vae_encoder(**s), shapes.vae_decoder(**s)),
        "clip_vision": shapes.clip_open,
        "rife": shapes.rife,
    }
    tables_of = {key: makers[key](**sizes.get(key, {})) for key in FILES}
    tables_of["vae encoder"] = tables_of["vae"]
    return Model(tuple((key, Network(tuple(tables_of[key].items()), dtypes[key])) for key in NETWORKS), **options)


@lru_cache(maxsize=32)
def weights(network: Network, device: str) -> dict[str, torch.Tensor]:
    """Random ones that keep activations near 1, or none on the meta device. The UNet's blend factors are read on the
    host."""
    generator = torch.Generator().manual_seed(0)

    def tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if device == "meta":
            return torch.zeros(
                shape, dtype=network.dtype, device="cpu" if name.endswith("time_mixer.mix_factor") else "meta"
            )
        values = (
            torch.randn(shape, generator=generator) * math.prod(shape[1:]) ** -0.5
            if len(shape) > 1
            else torch.full(shape, 0.5)
        )
        return values.to(device, network.dtype)

    return {name: prepared_weight(tensor(name, shape)) for name, shape in network.table}


def prepared_weight(w: torch.Tensor) -> torch.Tensor:
    """As weights/models.py hands them to the networks: convolutions stored pixel by pixel."""
    return w.contiguous(memory_format=MEMORY_FORMATS[w.dim()]) if w.dim() in MEMORY_FORMATS else w


def blank(m: Model, *shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=m.device)


def cost(reading: torch.Tensor) -> Cost:
    values = dict(zip(METER, reading.tolist(), strict=True))
    return Cost(**{name: values[name] for name in Cost.__dataclass_fields__})


def metered(m: Model, operator: str, inputs, network: Network, numbers=(), outputs: int = 1) -> Cost:
    return cost(run_network(operator, inputs, weights(network, m.device), numbers, meter=m.meter)[outputs])


@lru_cache(maxsize=64)
def sound(m: Model, latent_frames: int) -> Cost:
    """Whisper in pieces of 30 s, tokens and motion numbers in blocks of as much."""
    block = min(BLOCK, latent_frames)
    whisper, tokens, bucket = m["whisper"], m["audio2token"], m["audio2bucket"]
    mels = dict(whisper.table)["model.encoder.conv1.weight"][1]
    heard = metered(m, "whisper", {"mel": blank(m, mels, WHISPER_COLUMNS)}, whisper, [m.whisper_heads])
    seen = dict(tokens.table)["audio2token.proj1.weight"][1]
    made = metered(m, "audio_tokens_from_windows", {"windows": blank(m, block, seen)}, tokens)
    dim = dict(tokens.table)["audio2token.norm.weight"][0]
    both = dict(bucket.table)["audio2bucket.proj1.weight"][1]
    moved = metered(
        m, "motion_bucket_from_windows", {"windows": blank(m, block, both - dim), "image": blank(m, 1, dim)}, bucket
    )
    kept = 3 * heard.live_bytes + 4 * block * max(seen, both - dim)  # states of three pieces, the windows cut from them
    blocks = math.ceil(latent_frames / BLOCK)  # of 30 s, as Whisper's pieces
    return heard.then(made).then(moved).times(blocks).beside(kept)


@lru_cache(maxsize=64)
def picture(m: Model) -> Cost:
    clip = m["clip_vision"]
    kernel = next(shape for name, shape in clip.table if len(shape) == 4)
    tokens = next(shape[0] for name, shape in clip.table if "position" in name)
    side = kernel[2] * math.isqrt(tokens - 1)
    return metered(m, "clip_vision", {"pixels": blank(m, 1, 3, side, side)}, clip, [m.clip_heads])


@lru_cache(maxsize=64)
def encoding(m: Model, rows: int, columns: int) -> Cost:
    """rows and columns: of the latents, as everywhere here."""
    return metered(m, "vae_encoder", {"picture": blank(m, 1, 3, 8 * rows, 8 * columns)}, m["vae encoder"], outputs=2)


@lru_cache(maxsize=64)
def decoding(m: Model, rows: int, columns: int, frames: int = CHUNK) -> Cost:
    latents = blank(m, frames, latent_channels(m), rows, columns)
    chunk = metered(m, "vae_decoder", {"latents": latents}, m["vae"], [CHUNK])
    pictures = 4 * frames * 3 * 64 * rows * columns  # float32, beside what the decoder returned
    return Cost(*chunk.work, pictures, max(chunk.peak_bytes, chunk.live_bytes + pictures))


@lru_cache(maxsize=64)
def in_between(m: Model, rows: int, columns: int) -> Cost:
    """Of one pair, with the chunk whose frames it stands between."""
    frame = blank(m, 1, 3, 8 * rows, 8 * columns)
    pair = metered(m, "rife", {"before": frame, "after": frame}, m["rife"])
    # the chunk, the frame before it, both with the frames between, joined
    chunk = (CHUNK + 1 + 2 * CHUNK + CHUNK) * pair.live_bytes
    return Cost(*pair.work, chunk, pair.peak_bytes + chunk)


def latent_channels(m: Model) -> int:
    return dict(m["unet"].table)["conv_out.weight"][0]


def token_shape(m: Model) -> tuple[int, int]:
    """Of the sound in one frame: tokens, context."""
    context = dict(m["unet"].table)["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"][1]
    return dict(m["audio2token"].table)["audio2token.proj3.weight"][0] // context, context


def unet_conditions(m: Model, rows: int, columns: int) -> Conditions:
    """The whole frame is the face: sound then acts everywhere, the most it can cost. The tokens stay in host memory, as
    in a run."""
    tokens, context = token_shape(m)
    part = blank(m, latent_channels(m), rows, columns)
    return Conditions(
        image=[blank(m, 1, 1, context)] * BRANCHES,
        audio=[torch.zeros(n, tokens, context) for n in (1, 1, SEEN)],
        face_mask=torch.ones(8 * rows, 8 * columns),
        rows=rows,
        columns=columns,
        window=WINDOW,
        image_latents=[part] * BRANCHES,
    )


@lru_cache(maxsize=64)
def prepared(m: Model, rows: int, columns: int) -> tuple[UNet, Cost]:
    net = UNet(weights(m["unet"], m.device), m.head_dim)
    (reading,) = net.prepare(unet_conditions(m, rows, columns), meter=m.meter)
    return net, cost(reading)


def constants(m: Model, rows: int, columns: int) -> Cost:
    return prepared(m, rows, columns)[1]


def constants_bytes(m: Model, rows: int, columns: int) -> int:
    """Of the constants beside the weights."""
    net, _ = prepared(m, rows, columns)
    return sum(t.nbytes for t in net.constants.values() if t.is_meta)


@lru_cache(maxsize=64)
def two_windows(m: Model, rows: int, columns: int, branches: int) -> Cost:
    """One step of a clip of SEEN frames."""
    net, _ = prepared(m, rows, columns)
    channels = latent_channels(m)
    noise, image = blank(m, SEEN, channels, rows, columns), blank(m, 1, channels, rows, columns)
    return cost(
        sample(net, noise, image, torch.zeros(SEEN, 2), Settings(steps=1, window=WINDOW), branches, meter=m.meter)[1]
    )


def sampling(m: Model, rows: int, columns: int, latent_frames: int, steps: int, branches: int) -> Cost:
    """The whole loop. Beside what one window takes, the clip's latents are held twice, before and after a step."""
    more = 2 * 4 * latent_channels(m) * rows * columns * (latent_frames - SEEN)
    return two_windows(m, rows, columns, branches).times(steps * math.ceil(latent_frames / WINDOW) / 2).beside(more)


def host_bytes(m: Model, rows: int, columns: int, latent_frames: int) -> int:
    """What grows with a clip in host memory: tokens as they come and in the UNet's type, noise, latents."""
    tokens = math.prod(token_shape(m)) * (4 + m["unet"].dtype.itemsize)
    return latent_frames * (tokens + 2 * 4 * latent_channels(m) * rows * columns)
