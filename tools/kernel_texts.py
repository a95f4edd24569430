"""The sources of the card's kernels as C strings: the binary carries them for the compiler of the card (NVRTC)."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "csrc" / "kernels"
HEADERS = ("arguments.h", "portable.h")


def kernel_files() -> list[Path]:
    """Everything that the card's compiler reads."""
    return [*(FOLDER / name for name in HEADERS), *sorted(FOLDER.glob("*.cu"))]


def literal(text: str) -> str:
    """A C string, a line of its own for each line of the text. JSON escapes ASCII as C does."""
    return "".join(f"\n    {json.dumps(line)}" for line in text.splitlines(keepends=True))


def header_text() -> str:
    files = [(path.relative_to(ROOT / "csrc").as_posix(), path.read_text("ascii")) for path in kernel_files()]
    program = "".join(f'#include "{name}"\n' for name, _ in files if name.endswith(".cu"))
    entries = "".join(f"    {{{json.dumps(name)},{literal(text)}}},\n" for name, text in files)
    return (
        "/* Made by tools/kernel_texts.py from csrc/kernels. */\n"
        "static const struct {\n    const char *name, *text;\n} kernel_texts[] = {\n"
        f"{entries}}};\n"
        f"static const char kernel_program[] ={literal(program)};\n"
    )


def write(folder: Path) -> Path:
    """Writes kernels/texts.h below `folder`, for the compiler's -I; left alone where it is up to date."""
    path = folder / "kernels" / "texts.h"
    text = header_text()
    if not path.is_file() or path.read_text("ascii") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "ascii", newline="\n")
    return folder
