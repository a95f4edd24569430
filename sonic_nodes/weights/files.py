"""The model's files: name, size, place and source of each."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError

SONIC, WHISPER = "https://huggingface.co/LeonJoe13/Sonic", "https://huggingface.co/openai/whisper-tiny"
SVD, SVD_1_1 = (
    "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt",
    "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt-1-1",
)

TERMS = """\
The weights are not part of this program, and its licence does not cover them. Sonic is published for
non-commercial use only. Stable Video Diffusion has Stability AI's own licences, which limit commercial use. Whisper
and RIFE may be used freely. Read the terms at each source before you use the results commercially."""


SONIC_LICENCE = "CC BY-NC-SA 4.0: not for commercial use"
SVD_LICENCE = "Stability AI's licence: commercial use is limited"
FREE = ("Apache-2.0", "MIT")


@dataclass(frozen=True)
class ModelFile:
    """`places`: relative to ComfyUI's `models` folder, the published name first. `bytes`: of the published file."""

    networks: tuple[str, ...]
    places: tuple[str, ...]
    bytes: int
    source: str
    sha256: tuple[str, ...]  # of the published versions, as huggingface.co states them
    path: str  # of the first of them, below the address of huggingface.co or a mirror
    licence: str

    @property
    def name(self) -> str:
        return self.places[0].split("/", 1)[1]

    @property
    def key(self) -> str:
        """What names the file in requests of the page."""
        return self.networks[0]

    @property
    def is_free(self) -> bool:
        """Whether it may be downloaded without accepting terms."""
        return self.licence in FREE


FILES = (
    ModelFile(
        ("unet",),
        ("sonic/unet.pth", "sonic/unet.safetensors"),
        6_303_636_358,
        SONIC,
        ("2fb0b0b8fe07232f9c4e8af4ce64fc3b33593bf6dfd7c840b60585dc6017128b",),
        "LeonJoe13/Sonic/resolve/main/Sonic/unet.pth",
        SONIC_LICENCE,
    ),
    ModelFile(
        ("audio2token",),
        ("sonic/audio2token.pth", "sonic/audio2token.safetensors"),
        217_206_084,
        SONIC,
        ("68cf305813bf5e4682c4f6a80955233cfad6a5e194fd4a6963f27e4e8ee490d8",),
        "LeonJoe13/Sonic/resolve/main/Sonic/audio2token.pth",
        SONIC_LICENCE,
    ),
    ModelFile(
        ("audio2bucket",),
        ("sonic/audio2bucket.pth", "sonic/audio2bucket.safetensors"),
        87_050_998,
        SONIC,
        ("4af942fded37b70d0a0a7993b8c0f46b5b1e104bcf7b6316f7b509900db69d26",),
        "LeonJoe13/Sonic/resolve/main/Sonic/audio2bucket.pth",
        SONIC_LICENCE,
    ),
    ModelFile(
        ("whisper",),
        ("sonic/whisper-tiny/model.safetensors", "sonic/whisper.safetensors"),
        151_061_672,
        WHISPER,
        ("7ebd0e69e78190ffe1438491fa05cc1f5c1aa3a4c4db3bc1723adbb551ea2395",),
        "openai/whisper-tiny/resolve/main/model.safetensors",
        "Apache-2.0",
    ),
    ModelFile(
        ("rife",),
        ("sonic/RIFE/flownet.pkl", "sonic/rife.safetensors"),
        12_186_817,
        SONIC,
        ("fe854fc8996547c953f732aaa3b78cae76cc0a12833ae856ea0749c4c570d7d8",),
        "LeonJoe13/Sonic/resolve/main/RIFE/flownet.pkl",
        "MIT",
    ),
    ModelFile(
        ("vae", "clip_vision"),
        ("checkpoints/svd_xt.safetensors", "checkpoints/svd_xt_1_1.safetensors", "sonic/svd.safetensors"),
        9_559_625_980,
        f"{SVD} or, half as large, {SVD_1_1}",
        (
            "b2652c23d64a1da5f14d55011b9b6dce55f2e72e395719f1cd1f8a079b00a451",
            "69ccfea1bb45dd63b3ba8b6cfe8b0d45d780995dfdde590aeaa97cc567018d33",
        ),
        "stabilityai/stable-video-diffusion-img2vid-xt/resolve/main/svd_xt.safetensors",
        SVD_LICENCE,
    ),
)


@dataclass(frozen=True)
class Found:
    """A model file and its path, None if it is missing."""

    file: ModelFile
    path: Path | None


def size_text(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def file_of(network: str) -> ModelFile:
    return next(file for file in FILES if network in file.networks)


def advice(network: str) -> str:
    """A sentence for error messages: the file, its place, size and source."""
    file = file_of(network)
    return f"Put {file.name} at models/{file.places[0]} ({size_text(file.bytes)}, from {file.source})."


def find(folder) -> list[Found]:
    """Looks for each model file in `folder`: ComfyUI's `models`, its `sonic`, or the output of `sonic models convert`.
    Raises UsageError when there is no such folder."""
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"Name ComfyUI's models folder with --models: {root} is not a folder.")
    return [Found(file, first(root, file)) for file in FILES]


def first(root: Path, file: ModelFile) -> Path | None:
    """The first of the file's places that exists, with or without its leading folder."""
    for place in file.places:
        for path in (root / place, root / Path(*Path(place).parts[1:])):
            if path.is_file():
                return path
    return None
