"""Operations and bytes of each stage of a run, estimated by running the networks on torch's meta device
(csrc/torch/cost_meter.h).

Meta tensors have shapes and no data, so nothing is allocated or computed; the meter counts each operator's result. It
does not see an operator's own scratch memory (cuDNN workspace, packed copies in oneDNN): plan.py adds a margin. On any
other device the same functions run with random weights and return measured costs; the tests compare both.

Sizes: rows and columns are those of the latents, an eighth of the frame's. Frames are latent frames.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch

from ..models.call import METER, run_network
from ..models.constants import CHUNK, WINDOW
from ..models.sampler import Settings, sample
from ..models.unet import Conditions, UNet
from ..weights import shapes
from ..weights.streamed import is_streamed, part_of
from .stage import Stage

BLOCK = 375  # latent frames in a block of 30 s of sound
BRANCHES = 3  # of the guidance
SHORT_CLIP = WINDOW + 1  # frames of the shortest clip that needs two windows
MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
WHISPER_COLUMNS, CLIP_HEADS, WHISPER_HEADS, HEAD_DIM = 3000, 16, 6, 64
FILES = ("whisper", "clip_vision", "audio2token", "audio2bucket", "vae", "unet", "rife")
NETWORKS = (
    *FILES,
    "vae encoder",
)  # the autoencoder's halves may compute in different types; its file is then loaded twice
NETWORKS_OF = {
    Stage.PICTURE: ("clip_vision",),
    Stage.ENCODING: ("vae encoder",),
    Stage.SOUND: ("whisper", "audio2token", "audio2bucket"),
    Stage.CONSTANTS: ("unet",),
    Stage.SAMPLING: ("unet",),
    Stage.DECODING: ("vae",),
    Stage.IN_BETWEEN: ("rife",),
}


@dataclass(frozen=True)
class Cost:
    """Cost of a network call. Bytes are those of results, not of weights and inputs."""

    convolution_flops: int
    product_flops: int
    attention_flops: int
    moved_bytes: int
    live_bytes: int  # of the returned tensors
    peak_bytes: int

    @property
    def flops(self) -> int:
        return self.convolution_flops + self.product_flops + self.attention_flops

    @property
    def work(self) -> tuple[int, int, int, int]:
        return self.convolution_flops, self.product_flops, self.attention_flops, self.moved_bytes

    def times(self, count: float) -> "Cost":
        """Of `count` calls in sequence, whose results are not kept."""
        return Cost(*(round(count * amount) for amount in self.work), self.live_bytes, self.peak_bytes)

    def then(self, other: "Cost") -> "Cost":
        """Of both in sequence; the results of the first are not kept."""
        work = (a + b for a, b in zip(self.work, other.work, strict=True))
        return Cost(*work, other.live_bytes, max(self.peak_bytes, other.peak_bytes))

    def beside(self, held_bytes: int) -> "Cost":
        """While `held_bytes` stay allocated."""
        return Cost(*self.work, self.live_bytes, self.peak_bytes + held_bytes)


@dataclass(frozen=True)
class Network:
    """The names and shapes of a network's weights, and its compute type."""

    table: tuple[tuple[str, tuple[int, ...]], ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return self.dtype.itemsize * sum(math.prod(shape) for _, shape in self.table)


@dataclass(frozen=True)
class Model:
    """All networks of a model, and the head counts that shapes do not show."""

    networks: tuple[tuple[str, Network], ...]
    head_dim: int = HEAD_DIM
    whisper_heads: int = WHISPER_HEADS
    clip_heads: int = CLIP_HEADS
    gpu: bool = False  # whether results have the memory layout of GPU kernels
    device: str = "meta"

    @property
    def meter(self) -> bool | str:
        return "gpu" if self.gpu else True

    def __getitem__(self, key: str) -> Network:
        return dict(self.networks)[key]

    def bytes(self, keys) -> int:
        return sum(self[key].bytes for key in keys)

    def all_bytes(self) -> int:
        """Of all networks; the autoencoder once, in the larger of its types."""
        return self.bytes(FILES) + max(0, self["vae encoder"].bytes - self["vae"].bytes)


def model(dtypes: Mapping[str, torch.dtype], sizes: Mapping[str, dict] | None = None, **options) -> Model:
    """dtypes: compute type by network. sizes: arguments of weights/shapes.py; None: the published ones. options: of
    Model."""
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
    """Random values that keep activations near 1; no values on the meta device, except for the UNet's blend factors,
    which are read on the host."""
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
    """In the memory format of weights/models.py: convolutions are channels-last."""
    return w.contiguous(memory_format=MEMORY_FORMATS[w.dim()]) if w.dim() in MEMORY_FORMATS else w


def zeros(m: Model, *shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=m.device)


def cost(reading: torch.Tensor) -> Cost:
    """reading: the meter's output, in the order of METER."""
    values = dict(zip(METER, reading.tolist(), strict=True))
    return Cost(**{name: values[name] for name in Cost.__dataclass_fields__})


def metered(m: Model, operator: str, inputs, network: Network, numbers=(), outputs: int = 1) -> Cost:
    return cost(run_network(operator, inputs, weights(network, m.device), numbers, meter=m.meter)[outputs])


@lru_cache(maxsize=64)
def sound(m: Model, latent_frames: int) -> Cost:
    """Whisper in pieces of 30 s, audio tokens and motion buckets in blocks of 30 s."""
    block = min(BLOCK, latent_frames)
    whisper, tokens, bucket = m["whisper"], m["audio2token"], m["audio2bucket"]
    mels = dict(whisper.table)["model.encoder.conv1.weight"][1]
    states = metered(m, "whisper", {"mel": zeros(m, mels, WHISPER_COLUMNS)}, whisper, [m.whisper_heads])
    token_inputs = dict(tokens.table)["audio2token.proj1.weight"][1]
    token_cost = metered(m, "audio_tokens_from_windows", {"windows": zeros(m, block, token_inputs)}, tokens)
    dim = dict(tokens.table)["audio2token.norm.weight"][0]
    bucket_inputs = dict(bucket.table)["audio2bucket.proj1.weight"][1] - dim
    inputs = {"windows": zeros(m, block, bucket_inputs), "image": zeros(m, 1, dim)}
    bucket_cost = metered(m, "motion_bucket_from_windows", inputs, bucket)
    # states of three pieces, and the windows cut from them
    held = 3 * states.live_bytes + 4 * block * max(token_inputs, bucket_inputs)
    return states.then(token_cost).then(bucket_cost).times(math.ceil(latent_frames / BLOCK)).beside(held)


@lru_cache(maxsize=64)
def picture(m: Model) -> Cost:
    clip = m["clip_vision"]
    kernel = next(shape for name, shape in clip.table if len(shape) == 4)
    tokens = next(shape[0] for name, shape in clip.table if "position" in name)
    side = kernel[2] * math.isqrt(tokens - 1)
    return metered(m, "clip_vision", {"pixels": zeros(m, 1, 3, side, side)}, clip, [m.clip_heads])


@lru_cache(maxsize=64)
def encoding(m: Model, rows: int, columns: int) -> Cost:
    return metered(m, "vae_encoder", {"picture": zeros(m, 1, 3, 8 * rows, 8 * columns)}, m["vae encoder"], outputs=2)


@lru_cache(maxsize=64)
def decoding(m: Model, rows: int, columns: int, frames: int = CHUNK) -> Cost:
    latents = zeros(m, frames, latent_channels(m), rows, columns)
    chunk = metered(m, "vae_decoder", {"latents": latents}, m["vae"], [CHUNK])
    converted = 4 * frames * 3 * 64 * rows * columns  # float32 copies, beside the decoder's output
    return Cost(*chunk.work, converted, max(chunk.peak_bytes, chunk.live_bytes + converted))


@lru_cache(maxsize=64)
def in_between(m: Model, rows: int, columns: int) -> Cost:
    """Of one pair of frames, while their chunk is held."""
    frame = zeros(m, 1, 3, 8 * rows, 8 * columns)
    pair = metered(m, "rife", {"before": frame, "after": frame}, m["rife"])
    # the chunk and the frame before it; both with the interpolated frames; the same concatenated
    chunk = (CHUNK + 1 + 2 * CHUNK + CHUNK) * pair.live_bytes
    return Cost(*pair.work, chunk, pair.peak_bytes + chunk)


def latent_channels(m: Model) -> int:
    return dict(m["unet"].table)["conv_out.weight"][0]


def token_shape(m: Model) -> tuple[int, int]:
    """Audio of one latent frame: (tokens, context)."""
    context = dict(m["unet"].table)["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"][1]
    return dict(m["audio2token"].table)["audio2token.proj3.weight"][0] // context, context


def unet_conditions(m: Model, rows: int, columns: int) -> Conditions:
    """The face mask covers the whole frame, so audio attention costs as much as it can. Tokens stay in host memory, as
    in a run."""
    tokens, context = token_shape(m)
    latents = zeros(m, latent_channels(m), rows, columns)
    return Conditions(
        image=[zeros(m, 1, 1, context)] * BRANCHES,
        audio=[torch.zeros(n, tokens, context) for n in (1, 1, SHORT_CLIP)],
        face_mask=torch.ones(8 * rows, 8 * columns),
        rows=rows,
        columns=columns,
        window=WINDOW,
        image_latents=[latents] * BRANCHES,
    )


@lru_cache(maxsize=64)
def prepared_unet(m: Model, rows: int, columns: int) -> tuple[UNet, Cost]:
    net = UNet(weights(m["unet"], m.device), m.head_dim)
    (reading,) = net.prepare(unet_conditions(m, rows, columns), meter=m.meter)
    return net, cost(reading)


def constants(m: Model, rows: int, columns: int) -> Cost:
    return prepared_unet(m, rows, columns)[1]


def constants_bytes(m: Model, rows: int, columns: int) -> int:
    """Of the UNet's constants, without the weights among them."""
    net, _ = prepared_unet(m, rows, columns)
    return sum(t.nbytes for t in net.constants.values() if t.is_meta)


@dataclass(frozen=True)
class Shortcuts:
    """What the steps of a run leave out: the fields of models.sampler.Settings."""

    guidance_low: float = 0.0
    guidance_high: float = math.inf
    reuse: int = 1

    @classmethod
    def of(cls, settings: Settings) -> "Shortcuts":
        return cls(settings.guidance_low, settings.guidance_high, settings.reuse)


@lru_cache(maxsize=64)
def two_windows(m: Model, rows: int, columns: int, branches: int, guided: bool = True, steps: int = 1) -> Cost:
    """`steps` steps of a clip of SHORT_CLIP frames; those after the first compute the last layer alone."""
    net, _ = prepared_unet(m, rows, columns)
    channels = latent_channels(m)
    noise, image = zeros(m, SHORT_CLIP, channels, rows, columns), zeros(m, 1, channels, rows, columns)
    settings = Settings(steps=steps, window=WINDOW, reuse=steps, guidance_high=math.inf if guided else 0.0)
    return cost(sample(net, noise, image, torch.zeros(SHORT_CLIP, 2), settings, branches, meter=m.meter)[1])


def shallow_step(m: Model, rows: int, columns: int, branches: int, guided: bool) -> Cost:
    """A step that takes deep features from the one before, whose memory is part of it."""
    both = two_windows(m, rows, columns, branches, guided, 2)
    whole = two_windows(m, rows, columns, branches, guided)
    work = (a - b for a, b in zip(both.work, whole.work, strict=True))
    return Cost(*work, both.live_bytes, both.peak_bytes)


def deep_bytes(m: Model, rows: int, columns: int, guided: bool) -> int:
    """Of the features that a frame's steps share."""
    channels = dict(m["unet"].table)["conv_norm_out.weight"][0]
    return (BRANCHES if guided else 1) * channels * rows * columns * m["unet"].dtype.itemsize


def sampling(
    m: Model,
    rows: int,
    columns: int,
    latent_frames: int,
    steps: int,
    branches: int,
    shortcuts: Shortcuts = Shortcuts(),  # noqa: B008 (it is frozen)
) -> Cost:
    """The whole loop. Besides one window's memory, the clip's latents are held twice, before and after a step, and the
    deep features of all its frames where steps share them."""
    total, frame_bytes = None, 2 * 4 * latent_channels(m) * rows * columns
    for (guided, shallow), count in Settings(steps=steps, **asdict(shortcuts)).step_work().items():
        one = (shallow_step if shallow else two_windows)(m, rows, columns, branches, guided)
        part = one.times(count * math.ceil(latent_frames / WINDOW) / 2)
        total = part if total is None else total.then(part)
    if shortcuts.reuse > 1:
        frame_bytes += deep_bytes(m, rows, columns, guided=True)
    return total.beside(frame_bytes * (latent_frames - SHORT_CLIP))


def streamed_bytes(m: Model) -> int:
    """Of the UNet's weights that wait in host memory (weights/streamed.py)."""
    table = m["unet"].table
    return m["unet"].dtype.itemsize * sum(math.prod(shape) for name, shape in table if is_streamed(name, shape))


def resident_bytes(m: Model) -> int:
    """Of the UNet's weights on the card while the others are streamed: those that stay, and twice the largest part,
    whose weights may all be there while the next part's are brought."""
    parts = Counter()
    for name, shape in m["unet"].table:
        parts[part_of(name) if is_streamed(name, shape) else ""] += math.prod(shape)
    stay = parts.pop("", 0)
    return m["unet"].dtype.itemsize * (stay + 2 * max(parts.values(), default=0))


def whole_calls(latent_frames: int, steps: int, branches: int, shortcuts: "Shortcuts") -> int:
    """Calls of the network that need all of its weights."""
    work = Settings(steps=steps, **asdict(shortcuts)).step_work()
    calls = sum(
        count * (BRANCHES // branches if guided else 1) for (guided, shallow), count in work.items() if not shallow
    )
    return calls * math.ceil(latent_frames / WINDOW)


def longest_share(latent_frames: int, steps: int, branches: int, shortcuts: "Shortcuts", devices: int) -> float:
    """Of the loop's calls of the network, those that follow one another when devices share each step's: 1 for one
    device, 1 / devices where the calls of a step divide among them."""
    windows, calls, longest = math.ceil(latent_frames / WINDOW), 0, 0
    for (guided, _), count in Settings(steps=steps, **asdict(shortcuts)).step_work().items():
        in_step = windows * (BRANCHES // branches if guided else 1)
        calls += count * in_step
        longest += count * math.ceil(in_step / devices)
    return longest / calls


def host_bytes(m: Model, rows: int, columns: int, latent_frames: int) -> int:
    """Host memory that grows with a clip: tokens in float32 and in the UNet's type, noise, latents."""
    tokens = math.prod(token_shape(m)) * (4 + m["unet"].dtype.itemsize)
    return latent_frames * (tokens + 2 * 4 * latent_channels(m) * rows * columns)
