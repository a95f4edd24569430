"""Sonic Batch: one recording of a folder for each run. A number of runs is queued with one click, each has the memory
of one video, and one that fails or is cancelled leaves the others alone."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import folder_paths
from comfy_api.latest import io

from ..errors import InputError, SonicError
from .common import CATEGORY, lazy_import, names_or_empty, notes_ui, plain_errors
from .language import in_page_language
from .link_values import listing_files
from .load_image import SHOWN
from .model_files import LINKED

SAMPLE_FOLDER = "sonic_sample_recordings"
OUTPUT_FOLDER = "video"
MAX_ENTRIES = 20_000  # of a folder
MAX_FOLDERS, MAX_DEPTH = 2000, 3  # that are looked into for the list
MAX_INDEX = 2**31 - 1
# What a name of Save Video gives a meaning to: folders, and %year% and the like.
SPECIAL = str.maketrans(dict.fromkeys('%/\\:*?"<>|', "_"))


class SonicBatch(io.ComfyNode):
    NODE_ID = "SonicBatch"

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=cls.NODE_ID,
            display_name="Sonic Batch",
            category=CATEGORY,
            description="Gives one recording of a folder after the other, one for each run: type their number into the "
            "box beside Run, and each becomes a video with its name.",
            inputs=[
                listing_files(
                    io.Combo.Input(
                        "folder",
                        options=names_or_empty(input_folders),
                        tooltip="A folder with recordings in ComfyUI's input folder. Press R after adding one.",
                    )
                ),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=MAX_INDEX,
                    control_after_generate=True,
                    tooltip="Which recording, in the order of names; 0 is the first, and after the last one the first "
                    "follows. With 'increment' each run takes the next one.",
                ),
            ],
            outputs=[
                io.Audio.Output("recording", display_name="audio", tooltip="The recording, for SONIC_PreData."),
                io.String.Output(
                    "prefix",
                    display_name="filename_prefix",
                    tooltip="The names of folder and recording, for Save Video.",
                ),
                io.Int.Output("number", display_name="count", tooltip="How many recordings the folder has."),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder):
        try:
            if folder is not None:  # a link, whose value execute checks
                recordings_in(folder)
        except SonicError as error:
            return in_page_language(str(error))
        return True

    @classmethod
    def fingerprint_inputs(cls, folder, index=0):
        if folder is None or not isinstance(index, int):
            return LINKED
        try:
            path, names = recordings_in(folder)
            found = os.stat(os.path.join(path, names[index % len(names)]))
            listed = hashlib.sha256(repr(names).encode()).hexdigest()
            return f"{listed} {found.st_size} {found.st_mtime_ns}"
        except (SonicError, OSError) as error:
            return str(error)

    @classmethod
    @plain_errors
    def execute(cls, folder, index):
        path, names = recordings_in(folder)
        number = index % len(names)
        sound = lazy_import("media.audio").read_sound(os.path.join(path, names[number]))
        audio = lazy_import("nodes.comfy_types").audio_from_sound(sound)
        notes = [
            f"Recording {number + 1} of {len(names)}: {names[number]}, {sound.duration_s:.1f} s.",
            f"To make all of them, set index to 0 and the number beside Run to {len(names)}.",
            *sound.notes,
        ]
        prefix = f"{OUTPUT_FOLDER}/{plain(os.path.basename(path))}/{stem_of(names, number)}"
        return io.NodeOutput(audio, prefix, len(names), ui=notes_ui(notes[: 1 + (len(names) > 1)] + notes[2:]))


def recordings_in(folder: object) -> tuple[str, list[str]]:
    """(the path of a folder in ComfyUI's input folder, the names of the recordings in it, sorted). InputError, before
    anything is listed, for a folder elsewhere: workflows come from strangers."""
    names = lazy_import("media.file_names")
    root = folder_paths.get_input_directory()
    problem = names.problem_of(folder)
    path = "" if problem else os.path.join(root, *folder.replace("\\", "/").split("/"))
    if problem is None and not os.path.isdir(path):
        problem = "is not in ComfyUI's input folder"
    if problem is None and not names.is_inside(path, root):
        problem = "is a link that leads out of ComfyUI's input folder"
    if problem:
        raise InputError(f"Choose another folder of recordings: {repr(folder)[:SHOWN]} {problem}.")
    found = sorted(recordings_of(path), key=lambda name: (name.casefold(), name))
    if not found:
        raise InputError(f"Put recordings into the folder, or choose another: {repr(folder)[:SHOWN]} has none.")
    outside = next((name for name in found if not names.is_inside(os.path.join(path, name), root)), None)
    if outside:
        raise InputError(f"Replace the link by the recording: {outside!r} leads out of ComfyUI's input folder.")
    return path, found


def recordings_of(path: str) -> Iterator[str]:
    """Names of files with the ending of a sound or video. InputError for a folder that has too many entries."""
    suffixes = lazy_import("batch.manifest").SOUNDS
    try:
        with os.scandir(path) as entries:
            for count, entry in enumerate(entries):
                if count >= MAX_ENTRIES:
                    raise InputError(f"Move recordings to another folder: this one has over {MAX_ENTRIES} files.")
                is_sound = os.path.splitext(entry.name)[1].lower() in suffixes and not entry.name.startswith(".")
                if is_sound and entry.is_file():
                    yield entry.name
    except OSError as error:
        raise InputError(f"Make the folder of recordings readable: it cannot be listed ({error.strerror}).") from None


def stem_of(names: list[str], number: int) -> str:
    """The recording's name without its ending, and with it where another differs in nothing else."""
    stem, ending = os.path.splitext(names[number])
    same = Counter(os.path.splitext(name)[0].casefold() for name in names)[stem.casefold()]
    return plain(stem if same == 1 else f"{stem}_{ending[1:]}")


def plain(name: str) -> str:
    """A name that Save Video takes for one file, on every system."""
    text = name.translate(SPECIAL).strip(". ")
    return lazy_import("media.file_names").allowed_stem(text) or "_"


def input_folders() -> list[str]:
    """Folders in ComfyUI's input folder that have recordings, the sample's first."""
    root = folder_paths.get_input_directory()
    found, looked_into = {SAMPLE_FOLDER}, 0
    for path, folders, _ in os.walk(root):
        name = os.path.relpath(path, root).replace(os.sep, "/")
        depth = 0 if name == "." else name.count("/") + 1
        folders[:] = [each for each in sorted(folders) if not each.startswith(".")] if depth < MAX_DEPTH else []
        looked_into += 1
        if looked_into > MAX_FOLDERS:
            break
        with suppress(InputError):  # said when it is chosen
            if depth and next(recordings_of(path), None):
                found.add(name)
    return [SAMPLE_FOLDER, *sorted(found - {SAMPLE_FOLDER})]
