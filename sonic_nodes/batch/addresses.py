"""Addresses (URLs) in the place of files of a batch: s3:// and gs:// for inputs and for the folder of the outputs,
http:// and https:// for inputs.

Credentials come from the environment alone. An address with a user name is refused, and messages, logs and reports show
none and no query, since a signed address is as good as a password.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import InputError, UsageError
from ..media.fetch import MAX_BYTES as MAX_PICTURE_BYTES
from ..media.fetch import shown
from ..media.file_names import allowed_stem

BUCKETS = {"s3": "s3fs", "gs": "gcsfs"}  # schemes, and the package that each needs beside fsspec
WEB = ("http", "https")
INPUTS = "inputs"  # folder of the downloads, in the batch's own
MAX_URL = 2048  # characters
MAX_SOUND_BYTES = 1 << 30
MAX_SUFFIX = 10
BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
SUFFIX = re.compile(rf"\.[A-Za-z0-9]{{1,{MAX_SUFFIX}}}")


def scheme_of(url: str) -> str:
    return url.partition("://")[0].lower()


def plain(url: str) -> str:
    """`shown` without the quotes: for reports."""
    return shown(url)[1:-1]


def checked(url: str, column: str) -> str:
    """The address of an input. Raises InputError, which shows no part of an address that may hold a password."""
    scheme, rest = scheme_of(url), url.partition("://")[2]
    if scheme not in (*BUCKETS, *WEB):
        raise InputError(f"Give {column} as a file, or an address with s3://, gs:// or https://: {scheme}:// is none.")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in place or (":" in place and scheme in BUCKETS):
        raise InputError(f"Leave user name and password out of {column}: credentials are read from the environment.")
    text = url if scheme in WEB else url.replace(" ", "_")  # names of objects have spaces
    if len(url) > MAX_URL or any(ord(character) <= 32 or ord(character) == 127 for character in text):
        raise InputError(f"Check the address in {column}: it has spaces, or more than {MAX_URL} characters.")
    if scheme in WEB and not is_server(place):
        raise InputError(f"Check the address in {column}: no name of a server follows {scheme}://.")
    name = rest.partition("/")[2]
    if scheme in BUCKETS and not (BUCKET_NAME.fullmatch(place) and is_plain_key(name)):
        raise InputError(
            f"Write the address in {column} as {scheme}://BUCKET/NAME, without ? # * :: and empty parts: "
            f"it is {shown(url)}."
        )
    return url


def is_server(place: str) -> bool:
    """Whether it is a host with or without a port, as far as urllib says."""
    try:
        parts = urlsplit(f"http://{place}/")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_plain_key(name: str) -> bool:
    """Whether fsspec takes the name of an object as it stands: no wild card, version, chained file system, or folder
    that a URL would leave."""
    parts = name.split("/")
    return not re.search(r"[?#*\[\]]|::", name) and not {"", ".", ".."} & set(parts)


def checked_folder(url: str) -> str:
    """An address for outputs, without a slash at its end. Raises UsageError."""
    scheme, rest = scheme_of(url), url.partition("://")[2]
    if scheme not in BUCKETS:
        raise UsageError(
            f"Give --out as a folder, or as s3://BUCKET/FOLDER or gs://BUCKET/FOLDER: {scheme}:// is neither."
        )
    bucket, _, name = rest.rstrip("/").partition("/")
    if "@" in bucket or ":" in bucket:
        raise UsageError("Leave user name and password out of --out: credentials are read from the environment.")
    if len(url) > MAX_URL or not BUCKET_NAME.fullmatch(bucket) or (name and not is_plain_key(name)):
        raise UsageError(f"Write --out as {scheme}://BUCKET/FOLDER: it is {shown(url)}.")
    return f"{scheme}://{bucket}" + (f"/{name}" if name else "")


@dataclass(frozen=True)
class Facts:
    """Of an object in a store. version: equal for equal content, as far as the store says; "" where it says nothing."""

    size: int
    version: str
    md5: str  # "" where the store gives none


@dataclass(frozen=True)
class Source:
    """An input that is elsewhere."""

    url: str
    path: str  # of its copy
    max_bytes: int = MAX_SOUND_BYTES


@dataclass
class Remote:
    """What of a batch is elsewhere."""

    folder: str = ""  # of the downloads, on a local disk
    is_allowed: bool = False  # whether inputs may be loaded from addresses
    out: str | None = None  # address of the outputs; None: they stay in their local folder
    inputs: dict[str, Source] = field(default_factory=dict)  # by the path of the copy
    problems: dict[str, str] = field(default_factory=dict)  # {path of a copy: why it was not loaded}
    objects: dict[str, Facts] = field(default_factory=dict)  # outputs that are there, by their address

    def local(self, url: str, column: str) -> str:
        """The path of the copy of an input, which has the address's own name, so that outputs can be named after it.
        Raises InputError."""
        parts = urlsplit(checked(url, column))
        if not self.is_allowed:
            raise InputError(f"Add --allow-url to load files from addresses, or download it: {shown(url)} is no file.")
        name = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc
        stem, suffix = os.path.splitext(name)
        if not SUFFIX.fullmatch(suffix):
            stem, suffix = name, ""
        stem = re.sub(r"[^\w.-]+", "_", stem).strip(".")[:80] or "input"
        digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        path = os.path.join(self.folder, digest, allowed_stem(stem) + suffix)
        self.inputs[path] = Source(url, path, MAX_SOUND_BYTES if column == "speech" else MAX_PICTURE_BYTES)
        return path

    def shown(self, path: str) -> str | None:
        """The address of which `path` is a copy, for reports; None where it is of none."""
        source = self.inputs.get(path)
        if source is None or "?" not in source.url:
            return None if source is None else plain(source.url)
        return (
            f"{plain(source.url)} ({os.path.basename(os.path.dirname(path))[:6]})"  # queries differ, and are not shown
        )

    def require(self, *paths: str | None) -> None:
        """Raises InputError where one of the paths was not loaded."""
        for path in paths:
            if path in self.problems:
                raise InputError(self.problems[path])

    def target(self, output: str) -> str | None:
        """The address of an output, a name relative to the batch's folder with / in it; None where it stays here.
        Raises InputError for a name that no address can have."""
        if self.out is None:
            return None
        if not is_plain_key(output):
            raise InputError(f"Name the output without ? # * [ ] and ::, which have another meaning: it is {output!r}.")
        return f"{self.out}/{output}"

    def is_uploaded(self, end: dict | None, target: str) -> bool:
        """Whether the record of a finished job names what is in the store. end: as Journal.ends has it, or None."""
        there = self.objects.get(target)
        if there is None or not end or end.get("event") != "done" or end.get("bytes") != there.size:
            return False
        return end.get("upload") == {"url": target, "version": there.version}
