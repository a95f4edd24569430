"""`sonic models get`: downloads the model's files that are missing."""

import sys
from pathlib import Path

from tqdm import tqdm

from ..errors import UsageError
from ..printable import printable
from ..weights.download import download
from ..weights.files import FILES, TERMS, ModelFile, first, size_text
from ..weights.hub import endpoint
from .streams import say


def get(folder: str, names: list[str], is_accepted: bool) -> list[Path]:
    """Loads the files `names`, or all, that are not in `folder` yet; returns the paths of all of them. The first
    problem ends it; files that are complete stay. is_accepted: the licences of files that are not free."""
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"Name ComfyUI's models folder with --models: {root} is not a folder.")
    chosen = [file_called(name) for name in names] or list(FILES)
    found = {file: first(root, file) for file in chosen}
    missing = [file for file, path in found.items() if path is None]
    if missing:
        say(f"{TERMS}\n")
        for file in missing:
            say(f"  {file.name}, {size_text(file.bytes)}, {file.licence}, {file.source}")
        total = size_text(sum(file.bytes for file in missing))
        say(f"sonic: {len(missing)} of {len(chosen)} files are missing, {total} in all, from {endpoint()}.")
        if not (is_accepted or all(file.is_free for file in missing) or answers_yes()):
            raise UsageError("Accept these licences with --accept-licence: nothing was downloaded.")
    for file in missing:
        found[file] = root / file.places[0]
        fetch(file, found[file])
    return list(found.values())


def answers_yes() -> bool:
    """Asks in a terminal. Elsewhere there is no answer."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    say("Type yes to accept these licences:")
    return sys.stdin.readline().strip().lower() == "yes"


def file_called(name: str) -> ModelFile:
    for file in FILES:
        if name in (file.name, Path(file.name).name, *file.networks):
            return file
    names = ", ".join(file.name for file in FILES)
    raise UsageError(f"Choose among {names}: there is no file {printable(repr(name))}.")


def fetch(file: ModelFile, target: Path) -> None:
    """With a bar: the part that is there, speed and time left."""
    with tqdm(desc=file.name, unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        download(file, target, show)
    say(f"sonic: {target}: {size_text(file.bytes)}, as published.")
