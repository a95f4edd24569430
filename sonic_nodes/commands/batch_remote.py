"""What of a batch is elsewhere: inputs loaded before the checks, outputs sent to a store by the workers."""

from __future__ import annotations

import argparse
import os
import sys

import av
from tqdm import tqdm

from ..batch import buckets
from ..batch.addresses import INPUTS, Remote, checked_folder
from ..batch.downloads import bring
from ..batch.journal import Journal
from ..batch.manifest import Places
from ..batch.retries import tried
from ..errors import InputError, OutputError, UsageError
from ..media.fetch import Unavailable
from ..media.provenance import read_back

OUTGOING = "outgoing"  # folder of videos on their way, in the batch's own


def places_elsewhere(options: argparse.Namespace, folder: str, root: str) -> Places:
    """Of a batch whose --out is an address. folder, root: as in Places. Raises UsageError."""
    out = checked_folder(options.out)
    if options.state is None:
        raise UsageError("Name a folder on a local disk with --state: journal and logs are written there.")
    state = os.path.abspath(options.state)
    remote = Remote(os.path.join(state, INPUTS), options.allow_url, out)
    return Places(folder, root, os.path.join(state, OUTGOING), state, remote)


def fetch_inputs(remote: Remote) -> None:
    """Loads what the list has as addresses; problems are in `remote.problems`."""
    sources = list(remote.inputs.values())
    if not sources:
        return
    with tqdm(desc="downloads", total=len(sources), file=sys.stderr, disable=None, leave=False) as bar:
        remote.problems.update(bring(sources, on_done=lambda _source: bar.update()))


def look_at_outputs(remote: Remote, journal: Journal) -> None:
    """Tries whether the folder of the outputs can be written, and lists what it has where the journal names any of it.
    Raises OutputError."""
    if remote.out is None:
        return
    out = remote.out
    try:
        tried(lambda: buckets.try_writing(out))
        if any("upload" in end for end in journal.ends.values()):
            remote.objects.update(tried(lambda: buckets.listing(out)))
    except InputError as error:
        raise OutputError(str(error)) from None


def sent(path: str, url: str) -> dict:
    """Sends a finished video and removes it here. Returns what the journal keeps of it. Raises OutputError."""
    try:
        found = tried(lambda: buckets.put(path, url))
    except Unavailable as error:
        raise OutputError(f"{error} The video is kept: the same command sends it.") from None
    os.remove(path)
    return found


def left_to_send(path: str, key: str) -> dict | None:
    """What the journal wants to know of a video that an earlier run has finished and not sent; None where there is
    none for this key. Videos get their names when they are whole."""
    try:
        if not os.path.isfile(path) or read_back(path).get("job") != key:
            return None
        with av.open(path) as container:
            stream = container.streams.video[0]
            frames, rate = stream.frames, stream.average_rate
        seconds = float(frames / rate)
    except (InputError, OSError, ValueError, LookupError, ArithmeticError, TypeError):
        return None
    return {"frames": frames, "duration_s": seconds, "seconds": 0.0, "peak_memory_mb": None, "notes": []}
