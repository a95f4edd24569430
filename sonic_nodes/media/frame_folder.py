"""Frames as numbered PNG files in a folder: all of them, or none."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack

import numpy as np
from PIL import Image

from ..errors import OutputError, UsageError
from .file_names import output_problem, shown_path, system_path
from .files import new_folders
from .system_errors import retried
from .temporary import TemporaryFolder

FRAME_NAME = re.compile(r"\d{6,}\.png", re.IGNORECASE)


class FrameFolder:
    """Context manager that writes frames as DIR/000001.png, ...

    with FrameFolder(folder) as frames:
        frames.write(more)
        frames.publish()

    They are made in a temporary folder and get their names in `publish`; when the block ends with an error, also after
    `publish`, nothing is left of them. What the folder holds stays as it is.
    """

    def __init__(self, folder: str | os.PathLike):
        self._problem = output_problem(folder)
        self.folder = system_path(os.path.abspath(os.fspath(folder)))
        self.shown = shown_path(self.folder)
        self.count = 0
        self._is_published = False

    @staticmethod
    def check(folder: str | os.PathLike) -> None:
        """Before the frames are made: UsageError when the folder holds frames, OutputError when it is none or cannot be
        written."""
        self = FrameFolder(folder)
        if os.path.lexists(self.folder) and not os.path.isdir(self.folder):
            raise OutputError(f"Choose another folder for --frames: {self.shown} is not a folder.")
        try:
            if self._problem:
                raise ValueError(f"its name {self._problem}")
            TemporaryFolder(self._existing()).remove()
            taken = [name for name in _names(self.folder) if FRAME_NAME.fullmatch(name)]
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from None
        if taken:
            raise UsageError(
                f"Choose another folder for --frames: {self.shown} already holds frames, such as {min(taken)}."
            )

    def __enter__(self) -> FrameFolder:
        self.is_new = not os.path.isdir(self.folder)
        with ExitStack() as stack:
            try:
                self.temporary = TemporaryFolder(self._existing())
                stack.callback(self.temporary.remove)
                os.mkdir(self.temporary.output)
            except OSError as error:
                raise self._unwritable(error) from None
            self._stack = stack.pop_all()
        return self

    def write(self, frames: np.ndarray) -> None:
        """Adds frames, uint8 [n, H, W, 3]."""
        for frame in frames:
            path = os.path.join(self.temporary.output, f"{self.count + 1:06d}.png")
            try:
                Image.fromarray(frame).save(path, compress_level=1)
            except OSError as error:
                raise OutputError(
                    f"Free some space or choose another folder for --frames: {path} cannot be written ({error})."
                ) from error
            self.count += 1

    def publish(self) -> None:
        """Gives the frames their names. A new folder appears with all of them."""
        try:
            if self.is_new:
                self._stack.enter_context(new_folders(os.path.dirname(self.folder)))
                retried(os.rename, self.temporary.output, self.folder)
            else:
                self.temporary.link()
        except OSError as error:
            raise self._unwritable(error) from None
        self._is_published = True

    def __exit__(self, kind, error, traceback) -> None:
        if self._is_published and kind is None and not self.is_new:
            self.temporary.keep_links()
        elif self._is_published and kind is not None and self.is_new:
            retried(os.rename, self.folder, self.temporary.output)
        self._stack.__exit__(kind, error, traceback)

    def _existing(self) -> str:
        """The folder, or the nearest one above it that exists: the same file system."""
        path = self.folder
        while not os.path.lexists(path) and os.path.dirname(path) != path:  # there is no drive Q:
            path = os.path.dirname(path)
        return path

    def _unwritable(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or str(error)
        return OutputError(f"Choose another folder for --frames: {self.shown} cannot be written ({reason}).")


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
