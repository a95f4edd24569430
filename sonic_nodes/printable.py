"""Text that others wrote, such as file names, tensor names and tags, made safe to print."""

import unicodedata

# Controls and escape sequences, invisible characters and those that reorder text, lone surrogates, characters that
# Unicode does not define, line and paragraph separators. Spaces of other scripts are in file names and stay.
ESCAPED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def printable(text: str) -> str:
    """`text` with numeric escapes, such as \\x1b or \\u202e, in place of characters that change what a terminal or
    a page shows. Printable text is returned as it is."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def printable_lines(text: str) -> str:
    """`printable` of each line of our own text, whose line ends stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in ESCAPED:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
