"""The options of `sonic models`, apart from its work so that `sonic --help` stays quick."""

import argparse
import os

from ..weights.files import FILES, TERMS, size_text


def add_parser(commands):
    models = commands.add_parser(
        "models",
        help="say which of Sonic's weight files are there, or convert them",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Say which of Sonic's weight files are there and whether they are the right ones. Nothing in them is executed.",
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
        "--thorough", action="store_true", help="read everything: look for NaN and infinity, compare SHA-256"
    )
    convert = models.add_subparsers(dest="action", metavar="[convert]").add_parser(
        "convert",
        help="write all networks as safetensors into one folder",
        description="Write all networks as safetensors into one folder, which appears whole or not at all.",
    )
    convert.add_argument("--models", default=argparse.SUPPRESS, metavar="DIR", help="ComfyUI's models folder")
    convert.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the folder to write; it must not exist yet"
    )
    convert.add_argument(
        "--dtype", choices=["keep", "fp32", "fp16", "bf16"], default="keep", help="the type to write (keep: as it is)"
    )
