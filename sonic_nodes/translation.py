"""Messages in the reader's language. They are written in English where they arise, here and in C; where one leaves for
ComfyUI's page or a terminal it is looked up as a whole in locales/LANGUAGE/messages.json: {"English {name}": "..."}.

A template's placeholders stand for any text. Text that is in no template stays English, and nothing of a message is
lost. tests/test_translation.py holds that every message of the program has its template.

Messages contain names that others wrote, so the work is bounded: literals are searched one after the other, from left
to right, without going back, and the number of comparisons for one message has a limit.
"""

import functools
import itertools
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ENGLISH, CHINESE = LANGUAGES = ("en", "zh")
PLACEHOLDER = re.compile(r"\{([A-Za-z_0-9]+)\}")
BOUNDARY = re.compile(r"(?<=[.!?]) +|\n+ *")  # between the messages that a text may consist of
LISTED = re.compile(r"[,;] ")
MAX_LISTED = 32
QUOTE = re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"", re.DOTALL)
SPAN = re.compile(rf"(?<![^\s(])(?:{QUOTE.pattern})(?!\w)", re.DOTALL)
QUOTED = re.compile(r"'.*'|\".*\"", re.DOTALL)  # a name, as repr() writes it
CLOSED = "。！？：；，、）"  # no space follows them
MAX_CHARS = 20_000
MAX_VALUE_CHARS = 1000  # of a message in a placeholder
MAX_PIECES, MAX_SPAN = 48, 12  # of a text; of them in one message
MAX_DEPTH = 5  # messages in placeholders of messages
MAX_WAYS, MAX_PLACES, SHORT_LITERAL = 24, 12, 6  # to read a text by one template; of one literal; its length
MAX_STEPS = 100  # to find those ways
MAX_COMPARISONS, CHARS_A_STEP = 20_000, 32  # for one text; longer ones count more often
KEY_CHARS = 6
DIVIDED = 12  # characters that a template must cover more to be preferred although a sentence ends in its placeholder
GLUE_WAYS = 4
GLUE_LETTERS = 4  # a template with fewer letters, such as "{a}: {b}", only joins messages
SIMPLIFIED = ("cn", "sg", "my", "hans")
FOLDERS = (Path(__file__).resolve().parent / "locales", Path(__file__).resolve().parents[1] / "locales")
WINDOWS_CHINESE = (0x0804, 0x1004)  # GetUserDefaultUILanguage: China, Singapore

log = logging.getLogger(__name__)


def translated(text: str, language: str) -> str:
    """`text` in a language of LANGUAGES, line by line where it has several."""
    return text if language == ENGLISH else catalogue(language).translated(text)


@functools.cache
def catalogue(language: str) -> "Catalogue":
    """Where the file cannot be read, messages stay English, and the log says so once."""
    path = next((found for folder in FOLDERS if (found := folder / language / "messages.json").is_file()), None)
    try:
        sections = json.loads(path.read_text("utf-8")) if path else {}
    except (OSError, ValueError) as error:
        log.warning("Install the package again: %s cannot be read (%s).", path, error)
        sections = {}
    return Catalogue({key: value for section in sections.values() for key, value in section.items()})


def language_of(tag: object) -> str:
    """The language of LANGUAGES for a tag such as "zh", "zh-CN", "zh_CN.UTF-8"; traditional Chinese and all that there
    is no catalogue for are English."""
    first, *others = re.split(r"[-_.@]", tag.lower()) if isinstance(tag, str) else [""]
    is_simplified = not others or others[0] in SIMPLIFIED or others[0] == "utf"
    return CHINESE if first == CHINESE and is_simplified else ENGLISH


def terminal_language(environ: Mapping[str, str] = os.environ) -> str:
    """The language of the command, from LANGUAGE, LC_ALL, LC_MESSAGES and LANG as gettext reads them; on Windows,
    where none of them is set, from the user's display language."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    if locale in ("C", "POSIX"):
        return ENGLISH
    preferred = environ.get("LANGUAGE", "").split(":")[0]
    if not (locale or preferred) and sys.platform == "win32":
        import ctypes

        return CHINESE if ctypes.windll.kernel32.GetUserDefaultUILanguage() in WINDOWS_CHINESE else ENGLISH
    return language_of(preferred or locale)


def after_quotes(text: str, start: int) -> int:
    """The end of the quoted text that begins at `start`; `start` where none does."""
    found = QUOTE.match(text, start)
    return found.end() if found else start


def is_inside(at: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


def divided(values: list[str]) -> int:
    """How many of the values hold the end of a sentence: they may be more than what belongs into the place."""
    return sum(BOUNDARY.search(value) is not None and not QUOTED.fullmatch(value) for value in values)


def has_words(text: str) -> bool:
    return any(map(str.isalpha, text))


@dataclass(frozen=True)
class Template:
    """A message with open places. literals: the texts around them, one more than there are names."""

    literals: tuple[str, ...]
    names: tuple[str, ...]
    target: tuple[str, ...]  # texts and names by turns

    @classmethod
    def of(cls, source: str, target: str) -> "Template":
        parts = PLACEHOLDER.split(source)
        return cls(tuple(parts[::2]), tuple(parts[1::2]), tuple(PLACEHOLDER.split(target)))

    @functools.cached_property
    def length(self) -> int:
        return sum(map(len, self.literals))

    @functools.cached_property
    def longest(self) -> str:
        return max(self.literals, key=len)

    @functools.cached_property
    def is_glue(self) -> bool:
        return sum(map(str.isalpha, "".join(self.literals))) < GLUE_LETTERS

    def ways(self, text: str) -> Iterator[list[str]]:
        """What may stand in the open places of `text`, at most MAX_WAYS times: a long literal is taken where it comes
        first, a short one, such as " of ", in several places. A quoted name is never divided."""
        first, last = self.literals[0], self.literals[-1]
        end = len(text) - len(last)
        if text.startswith(first) and text.endswith(last) and end >= len(first) and self.holds(text, len(first), end):
            steps = itertools.count()
            yield from itertools.islice(self.divisions(text, len(first), end, 1, steps), MAX_WAYS)

    def holds(self, text: str, start: int, end: int) -> bool:
        """Whether the inner literals are there one after the other."""
        for literal in self.literals[1:-1]:
            start = text.find(literal, start, end)
            if start < 0:
                return False
            start += len(literal)
        return True

    def divisions(self, text: str, start: int, end: int, index: int, steps) -> Iterator[list[str]]:
        """The values from the open place before literal `index` on, which begins at `start`."""
        if index == len(self.literals) - 1:
            yield [text[start:end]]
            return
        literal = self.literals[index]
        at = text.find(literal, after_quotes(text, start), end) if literal else start
        for _ in range(MAX_PLACES if 0 < len(literal) <= SHORT_LITERAL else 1):
            if at < 0 or next(steps) > MAX_STEPS:
                return
            for others in self.divisions(text, at + len(literal), end, index + 1, steps):
                yield [text[start:at], *others]
            at = text.find(literal, at + 1, end)

    def filled(self, values: list[str]) -> str:
        given = dict(zip(self.names, values, strict=True))
        return "".join(given[part] if i % 2 else part for i, part in enumerate(self.target))


@dataclass(frozen=True)
class Result:
    """A text, and how many characters of the original were found in templates."""

    text: str
    covered: int = 0


class Catalogue:
    def __init__(self, messages: Mapping[str, str]):
        """messages: {template: translation}, with the same placeholders in both."""
        self.exact: dict[str, str] = {}
        self.by_start: dict[str, list[Template]] = {}
        self.open: list[Template] = []
        for source, target in messages.items():
            template = Template.of(source, target)
            if not template.names:
                self.exact[source] = target
            elif len(template.literals[0]) >= KEY_CHARS:
                self.by_start.setdefault(template.literals[0][:KEY_CHARS], []).append(template)
            else:
                self.open.append(template)
        for group in [*self.by_start.values(), self.open]:
            group.sort(key=lambda template: -template.length)

    def translated(self, text: str) -> str:
        return Search(self).blocks(text, 0).text if len(text) <= MAX_CHARS else text

    def candidates(self, text: str) -> list[Template]:
        """Those that may match, the longest first."""
        starting = self.by_start.get(text[:KEY_CHARS], ())
        return [*starting, *(template for template in self.open if template.longest in text)]


class Search:
    """The translation of one text, with a limit on its work."""

    def __init__(self, catalogue: Catalogue):
        self.catalogue, self.left, self.known = catalogue, MAX_COMPARISONS, {}

    def blocks(self, text: str, depth: int) -> Result:
        """The text as several messages in a row where each piece of it is one, else as one message, or whichever leaves
        less of it untranslated."""
        if (text, depth) not in self.known:
            several, is_whole = self.several(text, depth)
            one = several if is_whole else self.sentence(text, depth)
            self.known[text, depth] = several if several.covered > one.covered else one
        return self.known[text, depth]

    def message(self, text: str, depth: int) -> Result:
        """The text as one message, by the template that covers most of it."""
        if text in self.catalogue.exact:
            return Result(self.catalogue.exact[text], len(text))
        best = Result(text)
        for template in self.catalogue.candidates(text):
            self.left -= 1 + len(text) // CHARS_A_STEP
            if self.left < 0 or depth >= MAX_DEPTH or best.covered == len(text):
                break
            for values in itertools.islice(template.ways(text), GLUE_WAYS if template.is_glue else None):
                self.left -= 1 + len(text) // CHARS_A_STEP
                inner = [self.value(value, depth + 1) for value in values]
                if template.is_glue and any(
                    has_words(value) and not result.covered for value, result in zip(values, inner, strict=True)
                ):
                    continue
                covered = template.length + sum(result.covered for result in inner) - DIVIDED * divided(values)
                if covered > best.covered:
                    best = Result(template.filled([result.text for result in inner]), covered)
        return best

    def value(self, text: str, depth: int) -> Result:
        """What stands in a placeholder: a message or a list of them, or any other text."""
        if QUOTED.fullmatch(text) or not has_words(text) or len(text) > MAX_VALUE_CHARS:
            return Result(text)
        found, parts = self.spelled(text, depth), LISTED.split(text)
        if not 1 < len(parts) <= MAX_LISTED:
            return found
        inner = [self.spelled(part, depth) for part in parts]
        covered = sum(result.covered for result in inner) if all(result.covered for result in inner) else 0
        return Result("，".join(result.text for result in inner), covered) if covered > found.covered else found

    def spelled(self, text: str, depth: int) -> Result:
        """A message, which may lack its full stop or begin with a capital where it had none."""
        found = self.blocks(text, depth)
        if not found.covered:
            found = self.blocks(text[:1].lower() + text[1:], depth)
        if not found.covered and not text.endswith("."):
            closed = self.blocks(f"{text}.", depth)
            found = Result(closed.text.removesuffix("。"), closed.covered - 1) if closed.covered > 1 else found
        return found if found.covered else Result(text)

    def sentence(self, text: str, depth: int) -> Result:
        """One message, or parts of messages with a capital and a full stop around them."""
        found = self.message(text, depth)
        if found.covered == len(text) or depth >= MAX_DEPTH or not (text.endswith(".") and text[0].isupper()):
            return found
        inner = self.message(text[0].lower() + text[1:-1], depth)
        return Result(f"{inner.text}。", inner.covered + 1) if inner.covered > max(0, found.covered - 1) else found

    def several(self, text: str, depth: int) -> tuple[Result, bool]:
        """The text read from its start, each time by the shortest message that stands there; whether all of it was."""
        quoted = [found.span() for found in SPAN.finditer(text)]
        ends = [found.span() for found in BOUNDARY.finditer(text) if not is_inside(found.start(), quoted)][:MAX_PIECES]
        if not ends or depth >= MAX_DEPTH:
            return Result(text), False
        starts, ends = [0, *(end for _, end in ends)], [*ends, (len(text), len(text))]
        shown, covered, index, is_whole = [], 0, 0, True
        while index < len(starts):
            found, last = self.shortest(text, starts[index], ends[index : index + MAX_SPAN], depth)
            gap = text[slice(*ends[index + last])]
            closes = found.covered and found.text.endswith(tuple(CLOSED)) and not gap.strip(" ")
            shown += [found.text, "" if closes else gap]
            covered, index = covered + found.covered, index + last + 1
            is_whole = is_whole and (found.covered > 0 or not has_words(found.text))
        return Result("".join(shown), covered), is_whole

    def shortest(self, text: str, start: int, ends: list[tuple[int, int]], depth: int) -> tuple[Result, int]:
        """(the first message that begins at `start`, the index of its end); the first piece as it is without one."""
        for last, (end, _) in enumerate(ends):
            found = self.sentence(text[start:end], depth)
            if found.covered:
                return found, last
        return Result(text[start : ends[0][0]]), 0
