"""The options of `sonic batch`, apart from its work so that `sonic --help` stays quick."""

from __future__ import annotations

import argparse

from .render_options import add_options

MAX_WORKERS = 60
GATES = ("stop", "warn", "off")
# Options of `sonic render` that are those of the whole batch: networks are loaded once, and a list names no weights.
BATCH_ONLY = frozenset(
    ("engine", "models", "unet", "checkpoint", "audio_strength", "precision", "device", "plan", "plan_only", "sign")
    + ("cert", "key")
)


def add_parser(commands) -> None:
    batch = commands.add_parser(
        "batch",
        help="make many videos: a list, or each of many pictures with each of many recordings",
        description="Make many videos. SOURCE is a list (CSV or JSON Lines with the columns portrait and speech, and "
        "where wanted output, note and options of `sonic render`), or a picture or folder of pictures followed by a "
        "recording or folder of recordings. All inputs are checked first. Videos that are finished are not made "
        "again: after any interruption the same command goes on.",
    )
    batch.set_defaults(refuse=batch.error, frames=None)
    add = batch.add_argument
    add("source", nargs="+", metavar="SOURCE", help="list, or pictures and recordings")
    add("--out", required=True, metavar="DIR", help="folder for the videos, or s3://BUCKET/FOLDER")
    add("--state", metavar="DIR", help="folder for journal, logs and report (sonic-batch in the folder for the videos)")
    add("--root", metavar="DIR", help="folder that no input of a list may be outside of (the list's own)")
    add("--allow-url", action="store_true", help="load what a list names by s3://, gs:// or https:// addresses")
    add("--workers", type=int, metavar="N", help="processes (one a graphics card, else one for two processors)")
    add(
        "--ray",
        nargs="?",
        const="auto",
        type=address,
        metavar="ADDRESS",
        help="work on all machines of a Ray cluster: the one that this machine belongs to, or that of the head at "
        "HOST:PORT (needs ray)",
    )
    add(
        "--retries",
        type=int,
        default=2,
        metavar="N",
        help="times a job is tried again after its worker ended or memory ran out; bad input is never tried again (2)",
    )
    add("--skip-bad", action="store_true", help="make the others where rows of the list cannot be used")
    add(
        "--gate",
        choices=GATES,
        default="stop",
        help="what a portrait that the quality gate rejects is: a bad row, a warning, or not judged (stop)",
    )
    add(
        "--require-consent",
        action="store_true",
        help="rows without a consent cannot be used (column consent, --consent)",
    )
    add("--check-only", action="store_true", help="check all inputs, print the table, and stop")
    add(
        "--webhook",
        metavar="URL",
        help="address that is told of each finished job, signed with $SONIC_WEBHOOK_SECRET where it is set",
    )
    add("--json", action="store_true", help="print a report as JSON on standard output")
    add_options(batch)


def address(text: str) -> str:
    """An argparse type: `--ray` before SOURCE would take the list for an address."""
    from ..batch.ray_pool import address_of

    return address_of(text)


def row_columns() -> dict[str, bool]:
    """{column: whether it has a value} of the options that a row may have."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser)
    return {action.dest: action.nargs != 0 for action in parser._actions if action.dest not in BATCH_ONLY}
