"""Output formats of `sonic check`. Each writes result by result, so memory does not grow with their number.

Names of files come from others. Text and HTML show them escaped (printable.py). JSON is ASCII with JSON's own escapes:
what it gives back is the name, where lone surrogates U+DC80 to U+DCFF stand for bytes that are not UTF-8, as Python's
os.fsencode takes them. CSV is UTF-8; csv_cell says how a name is restored.
"""

from __future__ import annotations

import csv
import json
import os
import re
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from types import MappingProxyType
from typing import TextIO

from ..errors import OutputError
from ..media.files import atomic_write, unwritable
from ..printable import printable
from ..translation import terminal_language, translated
from . import page
from .result import Result

COLUMNS = ("path", "verdict", "score", "passed", "jpeg_quality", "reasons", "advice")
NAMES = ("path", "repair_file")
REPAIR_COLUMNS = ("repaired", "repair_file", "repair_reason", "repair_score_after")


class Report(AbstractContextManager):
    """with report: report.add(result), ..."""

    @abstractmethod
    def add(self, result: Result) -> None:
        """Writes one result."""

    def __exit__(self, kind, error, traceback) -> None:
        pass


class _Printed(Report):
    options: Mapping[str, str] = MappingProxyType({})  # of the stream

    def __init__(self, out: TextIO):
        self.out = out
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="backslashreplace", **self.options)  # names that the terminal cannot encode


class TextReport(_Printed):
    def add(self, result: Result) -> None:
        verdict = result.verdict
        print(f"{verdict['verdict']:<10} {verdict['score']:5.1f}  {printable(verdict['path'])}", file=self.out)
        for reason in verdict["reasons"]:
            print(f"{'':18}{translated(printable(reason['advice']), terminal_language())}", file=self.out)
        if "repair" in verdict:
            print(f"{'':18}{translated(repair_line(verdict['repair']), terminal_language())}", file=self.out)


def repair_line(repair: dict) -> str:
    if not repair["file"]:
        return repair["reason"]
    return f"{repair['reason']} Saved as {printable(repair['file'])}"


class JsonReport(_Printed):
    """One array of verdicts."""

    options = MappingProxyType({"newline": "\n"})  # the same bytes on Windows
    before = "[\n"

    def add(self, result: Result) -> None:
        self.out.write(self.before + json.dumps(result.verdict, indent=1))
        self.before = ",\n"

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.out.write("\n]\n")


# What spreadsheets take for a formula, full width too, behind spaces or apostrophes (OWASP, "CSV Injection")
_STARTS = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
FORMULA = re.compile(r"['\s]*" + _STARTS)
ESCAPE = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
INNER_FORMULA = re.compile(r"""([;\t|]["'\s]*)(?=""" + _STARTS + ")")
SEPARATORS = re.compile("[;\t|]")  # of spreadsheets in other countries: they need quotes that the comma alone does not


def csv_cell(value: object, can_hold_backslash: bool = False) -> object:
    """A cell that no spreadsheet runs and no terminal obeys. Numbers and ordinary text stay as they are.

    Text that begins like a formula gets an apostrophe. Characters that are not printable become \\x1b, \\u202e or
    \\udcff, and where a name can hold a backslash that looks like the beginning of these, it becomes \\x5c. To restore
    a name, drop one apostrophe in front of FORMULA and undo the escapes.
    """
    if not isinstance(value, str):
        return value
    text = printable(ESCAPE.sub(r"\\x5c", value) if can_hold_backslash else value)
    return f"'{text}" if FORMULA.match(text) else text


class CsvReport(_Printed):
    options = MappingProxyType({"encoding": "utf-8", "newline": "\n"})  # the same bytes on Windows

    def __init__(self, out: TextIO, with_repair: bool = False):
        super().__init__(out)
        self.columns = COLUMNS + REPAIR_COLUMNS if with_repair else COLUMNS

    def __enter__(self):
        plain, quoted = (
            csv.DictWriter(self.out, self.columns, extrasaction="ignore", lineterminator="\n", quoting=quoting)
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC)
        )
        self.tables = plain, quoted
        plain.writeheader()
        return self

    def add(self, result: Result) -> None:
        reasons = result.verdict["reasons"]
        texts = {"reasons": " ".join(r["name"] for r in reasons), "advice": " ".join(r["advice"] for r in reasons)}
        repair = {f"repair_{key}": value for key, value in result.verdict.get("repair", {}).items()}
        row = {
            key: csv_cell(value, key in NAMES and os.sep == "/")
            for key, value in (result.verdict | texts | repair).items()
            if key in self.columns
        }
        for key in row.keys() - {"path"}:  # with other separators only the first cell of a line is quoted
            row[key] = INNER_FORMULA.sub(r"\1'", row[key]) if isinstance(row[key], str) else row[key]
        has_separator = any(isinstance(value, str) and SEPARATORS.search(value) for value in row.values())
        self.tables[has_separator].writerow(row)


class HtmlReport(Report):
    """One self-contained file (page.py); it replaces an older one only when it is complete."""

    def __init__(self, path: str | os.PathLike, profile: str):
        self.path, self.profile, self.counts = path, profile, dict.fromkeys(page.VERDICTS, 0)

    def __enter__(self):
        with ExitStack() as stack:
            self.file = stack.enter_context(atomic_write(self.path, is_last=True))
            self.stack = stack.pop_all()
        self.write(page.head(self.profile))
        return self

    def add(self, result: Result) -> None:
        self.counts[result.verdict["verdict"]] += 1
        self.write(page.table_row(result))

    def write(self, text: str) -> None:
        try:
            self.file.write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise unwritable(os.path.abspath(self.path), error) from None

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.write(page.tail(self.counts))
            self.stack.__exit__(None, None, None)
        else:
            with suppress(OutputError):  # the error came from elsewhere, or is one of this report already
                self.stack.__exit__(kind, error, traceback)
