"""The options of `sonic models`, in a module of their own so that `sonic --help` does not import torch."""

import argparse
import os

from ..weights.files import FILES, TERMS, size_text


def add_parser(commands):
    models = commands.add_parser(
        "models",
        help="check Sonic's weight files, or convert them",
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
    convert = models.add_subparsers(dest="action", metavar="[convert]").add_parser(
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
