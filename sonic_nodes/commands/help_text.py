"""The help of the command in the reader's language: argparse's own words and ours."""

import argparse
import re
import textwrap
import unicodedata

from ..translation import ENGLISH
from .streams import in_terminal_language, language

DEFAULT = re.compile(r" \(([^()]*)\)$")  # after a setting's help


class TranslatedHelp(argparse.HelpFormatter):
    """Translates every text of the help, and breaks lines by the columns that its characters take."""

    def add_usage(self, usage, actions, groups, prefix=None):
        super().add_usage(usage, actions, groups, in_terminal_language("usage: ") if prefix is None else prefix)

    def start_section(self, heading):
        super().start_section(heading and in_terminal_language(heading))

    def add_text(self, text):
        super().add_text(text if text in (None, argparse.SUPPRESS) else in_terminal_language(text))

    def _get_help_string(self, action):
        text = super()._get_help_string(action) or ""
        shown, ending = in_terminal_language(text), DEFAULT.search(text)
        if shown != text or not ending:
            return shown
        said = in_terminal_language(text[: ending.start()])
        return f"{said}（{ending[1]}）" if language() != ENGLISH else text

    def _split_lines(self, text, width):
        return super()._split_lines(text, width) if language() == ENGLISH else wrapped(text, width)


class FilledHelp(TranslatedHelp):
    """For descriptions and epilogs of one paragraph."""

    def _fill_text(self, text, width, indent):
        if language() == ENGLISH:
            return super()._fill_text(text, width, indent)
        return "\n".join(indent + line for line in wrapped(text, width - len(indent)))


class PlainHelp(TranslatedHelp, argparse.RawDescriptionHelpFormatter):
    """For those that have lines of their own."""


def formatter_of(chosen: type) -> type:
    return PlainHelp if issubclass(chosen, argparse.RawDescriptionHelpFormatter) else FilledHelp


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns: between words, and between Chinese characters where they do not fit."""
    lines, line = [], ""
    for word in textwrap.wrap(text, 1, break_long_words=False, break_on_hyphens=False):
        joined = f"{line} {word}" if line else word
        while columns(joined) > width and (cut := place_to_cut(joined, width)):
            lines.append(joined[:cut].rstrip())
            joined = joined[cut:].lstrip()
        line = joined
    return [*lines, line]


def place_to_cut(text: str, width: int) -> int:
    """The last place within `width` columns at which a line may end; 0 where there is none."""
    taken, found = 0, 0
    for index, character in enumerate(text):
        taken += columns(character)
        if taken > width:
            break
        after = text[index + 1 : index + 2]
        is_wide = columns(character) == 2 or (after and columns(after) == 2)
        if (character == " " or is_wide) and after not in "，。；：、）！？ ":
            found = index + 1
    return found
