"""The options of `sonic models`, in a module of their own so that `sonic --help` does not import torch."""

import argparse
import os

from ..weights.files import FILES, TERMS, size_text


def add_parser(commands):
    models = commands.add_parser(
        "models",
        help="check Sonic's weight files, download or convert them",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Check which of Sonic's weight files are present and valid. Nothing in them is executed.",
        epilog=TERMS
        + "\n\nFiles, relative to ComfyUI's models folder:\n"
        + "\n".join(f"  {file.places[0]}  {size_text(file.bytes)}\n      {file.source}" for file in FILES),
    )
    folder = os.environ.get("SONIC_MODELS", "models")
    models.add_argument(
        "--models", default=folder, metavar="DIR", help="ComfyUI's models folder ($SONIC_MODELS, else ./models)"
    )
    models.add_argument("--json", action="store_true", help="print the findings as JSON")
    models.add_argument(
        "--thorough", action="store_true", help="read whole files: check for NaN and infinity, compare SHA-256"
    )
    actions = models.add_subparsers(dest="action", metavar="[get|convert]")
    add_get(actions)
    convert = actions.add_parser(
        "convert",
        help="write all networks as safetensors into one folder",
        description="Write all networks as safetensors into one folder. On an error nothing is left behind.",
    )
    convert.add_argument("--models", default=argparse.SUPPRESS, metavar="DIR", help="ComfyUI's models folder")
    convert.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the folder to write; it must not exist yet"
    )
    convert.add_argument(
        "--dtype", choices=["keep", "fp32", "fp16", "bf16"], default="keep", help="data type to write (default: keep)"
    )


def add_get(actions):
    get = actions.add_parser(
        "get",
        help="download the files that are missing",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Download the files that are missing to their places in the models folder. A download that stopped "
        "goes on\nwhere it was; size and SHA-256 are checked.",
        epilog="HF_ENDPOINT: the address of a mirror of huggingface.co. HF_TOKEN: a token of huggingface.co, for files "
        "behind terms.\n\n" + TERMS,
    )
    get.add_argument("--models", default=argparse.SUPPRESS, metavar="DIR", help="ComfyUI's models folder")
    get.add_argument(
        "--accept-licence",
        action="store_true",
        help="accept the licences that are printed before a download; without it the command asks",
    )
    get.add_argument("names", nargs="*", metavar="FILE", help="only these, such as unet.pth (default: all six)")
