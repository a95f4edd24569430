"""The list of a batch: CSV, JSON Lines, or a folder of pictures and a folder of recordings.

A list comes from elsewhere: its size, rows and texts are bounded, names stay inside the folders they are meant for, and
columns that nothing reads are refused, because a misspelt one would be ignored in a thousand videos.
"""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import InputError, UsageError
from ..media.fetch import is_url, shown
from ..media.file_names import allowed_stem, can_exist, is_inside, output_problem, problem_of
from ..media.files import regular_file
from .addresses import Remote

MAX_ROWS = 100_000
MAX_BYTES = 64 << 20
MAX_TEXT = 4096  # characters of a cell
MAX_COLUMNS = 64
SEPARATORS = ",;\t|"
PORTRAIT, SPEECH, OUTPUT, NOTE = "portrait", "speech", "output", "note"
ALIASES = {"recording": SPEECH, "picture": PORTRAIT, "out": OUTPUT}
PATHS = ("face_mask",)  # options that name a file beside the list
PATHS_OR_TEXT = ("consent",)  # and those that name one or are the text itself
YES, NO = ("1", "yes", "true", "y"), ("", "0", "no", "false", "n")
SOUNDS = frozenset(".wav .mp3 .m4a .aac .flac .ogg .opus .oga .wma .aif .aiff .mp4 .mov .mkv .webm .mka".split())
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Row:
    """A job as the list has it. Paths are absolute."""

    number: int  # of the line in the list, or of the pair
    portrait: str
    speech: str
    output: str
    options: tuple[str, ...] = ()  # of the command, such as ("--seed=7", "--paste-back")


@dataclass(frozen=True)
class BadRow:
    number: int
    text: str  # what the user can do


@dataclass
class Listing:
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True)
class Places:
    """Where names of a list lead."""

    folder: str  # relative inputs start here
    root: str  # no input is outside
    out: str  # outputs are in here
    reserved: str  # a folder in `out` that is the batch's own
    remote: Remote = field(default_factory=Remote)


def read_list(path: str | os.PathLike, places: Places, options: Mapping[str, bool]) -> Listing:
    """The rows of a CSV or JSON Lines file.

    options: {column: whether it has a value} that rows may have beside portrait, speech, output and note
    Raises InputError for a file that is none, and for one without the columns portrait and speech.
    """
    name = repr(os.path.basename(path))
    text = list_text(path, name)
    is_json = os.path.splitext(path)[1].lower() in (".jsonl", ".ndjson", ".json")
    records = json_records(text, name) if is_json else csv_records(text, name)
    listing, outputs = Listing(), Outputs(places)
    for number, record in records:
        if len(listing.rows) + len(listing.bad) >= MAX_ROWS:
            raise InputError(f"Split the list: {name} has more than {MAX_ROWS} rows.")
        try:
            if isinstance(record, InputError):
                raise record
            listing.rows.append(listed_row(number, record, places, options, outputs))
        except InputError as error:
            listing.bad.append(BadRow(number, str(error)))
    if not (listing.rows or listing.bad):
        raise InputError(f"Write a line for each video: {name} has none.")
    return listing


def read_pairs(portraits: list[str], recordings: list[str], places: Places) -> Listing:
    """Every picture with every recording, the recordings of one picture in a row."""
    count = len(portraits) * len(recordings)
    if count > MAX_ROWS:
        raise InputError(f"Choose fewer files: {count} videos would be made, and a batch has at most {MAX_ROWS}.")
    outputs, rows = Outputs(places), []
    for number, (portrait, speech) in enumerate(((p, s) for p in portraits for s in recordings), 1):
        rows.append(Row(number, portrait, speech, outputs.made_of(portrait, speech)))
    return Listing(rows)


def list_text(path: str | os.PathLike, name: str) -> str:
    with regular_file(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise InputError(f"Split the list: {name} has {size >> 20} MB, and the limit is {MAX_BYTES >> 20} MB.")
        data = file.read(size)
    try:
        return data.decode(BOMS.get(data[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"Save the list as UTF-8: {name} has other bytes at {error.start}.") from None


def csv_records(text: str, name: str) -> Iterator[tuple[int, dict | InputError]]:
    """(line, {column: text}) of each line that is not empty. The separator is the one that the head has."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns: list[str] = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = checked_columns([plain(cell) for cell in cells], name)
            elif len(cells) > len(columns):
                yield (
                    reader.line_num,
                    InputError(f"Put texts with {separator!r} in quotes: the line has {len(cells)} cells."),
                )
            else:
                yield reader.line_num, dict(zip(columns, cells, strict=False))
    except csv.Error as error:
        raise InputError(f"Correct the list at line {reader.line_num}: {name} is no CSV there ({error}).") from None


def checked_columns(columns: list[str], name: str) -> list[str]:
    columns = [ALIASES.get(column, column) for column in columns]
    while columns and not columns[-1]:
        columns.pop()
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None or len(columns) > MAX_COLUMNS:
        raise InputError(f"Give each column a name of its own: {name} has {twice!r} twice, or too many columns.")
    missing = [column for column in (PORTRAIT, SPEECH) if column not in columns]
    if missing:
        raise InputError(
            f"Name the columns in the first line, portrait and speech among them: {name} lacks {' and '.join(missing)}."
        )
    return columns


def json_records(text: str, name: str) -> Iterator[tuple[int, dict | InputError]]:
    """(line, object) of each line that is not empty."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_COLUMNS * MAX_TEXT:
                raise ValueError("too long")
            found = json.loads(line, object_pairs_hook=unique_keys)
            if not isinstance(found, dict):
                raise ValueError("no object")
            yield number, found
        except (ValueError, RecursionError) as error:
            yield number, InputError(f"Write one JSON object in each line: line {number} is none ({error}).")


def unique_keys(pairs: list[tuple[str, object]]) -> dict:
    found = {}
    for name, value in pairs:
        key = ALIASES.get(plain(name), plain(name))
        if key in found:
            raise ValueError(f"{key!r} twice")
        found[key] = value
    return found


def plain(column: str) -> str:
    """A column's name as it is compared: "Min-Resolution " is min_resolution."""
    return column.strip().lower().lstrip("-").replace("-", "_").replace(" ", "_")


def listed_row(number: int, record: dict, places: Places, options: Mapping[str, bool], outputs: Outputs) -> Row:
    texts = {column: text_of(column, value) for column, value in record.items() if value is not None}
    for column in (PORTRAIT, SPEECH):
        if not texts.get(column):
            raise InputError(f"Name a file in the column {column}: it is empty.")
    unknown = [column for column in texts if column not in (PORTRAIT, SPEECH, OUTPUT, NOTE, *options)]
    if unknown:
        known = ", ".join(options)
        raise InputError(f"Remove or rename {unknown[0]!r}: a row may have portrait, speech, output, note, {known}.")
    portrait, speech = (input_path(texts[column], places, column) for column in (PORTRAIT, SPEECH))
    output = texts.get(OUTPUT)
    chosen = tuple(option_of(c, texts[c], options[c], places) for c in texts if c in options and texts[c])
    path = outputs.named(output) if output else outputs.made_of(portrait, speech)
    return Row(number, portrait, speech, path, tuple(filter(None, chosen)))


def text_of(column: str, value: object) -> str:
    """A cell's text; of JSON also numbers and true or false."""
    text = json.dumps(value) if isinstance(value, (bool, int, float)) else value
    if not isinstance(text, str):
        raise InputError(f"Give {column} as a text or a number: it is neither.")
    if len(text) > MAX_TEXT:
        raise InputError(f"Shorten {column}: it has {len(text)} characters, and the limit is {MAX_TEXT}.")
    return text.strip()


def option_of(column: str, text: str, has_value: bool, places: Places) -> str:
    """The option that a cell stands for; "" for none."""
    name = "--" + column.replace("_", "-")
    if has_value:
        if column in PATHS or (column in PATHS_OR_TEXT and is_there(text, places)):
            text = input_path(text, places, column)
        return f"{name}={text}"
    if text.lower() in YES:
        return name
    if text.lower() in NO:
        return ""
    raise InputError(f"Write yes or no in the column {column}: it is {text!r}.")


def is_there(text: str, places: Places) -> bool:
    return len(text) < MAX_TEXT and can_exist(text) and "\0" not in text and os.path.exists(in_folder(text, places))


def in_folder(name: str, places: Places) -> str:
    return os.path.abspath(os.path.join(places.folder, name))


def input_path(name: str, places: Places, column: str) -> str:
    """The absolute path of an input, of its copy where it is an address. InputError for one outside the root, links
    followed."""
    if is_url(name):
        return places.remote.local(name, column)
    if not can_exist(name) or "\0" in name:
        raise InputError("Choose another name: it has characters that no file name has.")
    path = in_folder(name, places)
    if not is_inside(path, places.root):
        raise InputError(f"Name a folder that holds all inputs with --root: {name!r} is outside of {places.root!r}.")
    return path


class Outputs:
    """Names of outputs, each once: systems that do not distinguish upper and lower case would take two for one."""

    def __init__(self, places: Places):
        self.places, self.taken = places, {fold(places.reserved): 0}
        self.numbers: dict[str, int] = {}

    def named(self, name: str) -> str:
        """The path of an output that the list names. InputError for one outside the folder, and for a second use."""
        if is_url(name):
            raise InputError(f"Name the output as --out leads to it, such as a/b.mp4: {shown(name)} is an address.")
        problem = problem_of(name) or output_problem(name)
        if problem:
            raise InputError(f"Choose another output: {name!r} {problem}.")
        path = os.path.abspath(os.path.join(self.places.out, name))
        if os.path.splitext(path)[1].lower() != ".mp4":
            raise InputError(f"Name the output with .mp4 at its end: it is {name!r}.")
        if not self.places.remote.out and fold(path).startswith(fold(self.places.reserved) + fold(os.sep)):
            raise InputError(f"Choose another folder for the output: {name!r} is in the batch's own.")
        if fold(path) in self.taken:
            raise InputError(f"Choose another output: {name!r} is that of an earlier row, too.")
        self.taken[fold(path)] = 1
        return path

    def made_of(self, portrait: str, speech: str) -> str:
        """PORTRAIT_SPEECH.mp4, numbered where that is taken."""
        stems = [os.path.splitext(os.path.basename(path))[0][:80] for path in (portrait, speech)]
        stem = os.path.join(self.places.out, allowed_stem("_".join(stems)))
        number = self.numbers.get(fold(stem), 1)
        path = f"{stem}.mp4" if number == 1 else f"{stem}_{number}.mp4"
        while fold(path) in self.taken:
            number += 1
            path = f"{stem}_{number}.mp4"
        self.numbers[fold(stem)], self.taken[fold(path)] = number, 1
        return path


def fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def files_below(path: str, suffixes: Iterable[str]) -> list[str]:
    """The file itself, or all files of a folder with one of the endings, sorted. UsageError for none."""
    if not os.path.isdir(path):
        return [os.path.abspath(path)]
    with os.scandir(path) as entries:
        found = sorted(
            os.path.abspath(entry.path)
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in suffixes and not entry.name.startswith(".")
        )
    if not found:
        raise UsageError(f"Choose another folder: {path!r} holds no file of the kind.")
    return found
