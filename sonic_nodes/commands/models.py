"""The command `sonic models`: checks the weight files, downloads or converts them."""

import hashlib
import json
from pathlib import Path

import torch

from ..errors import InputError, InstallError, is_out_of_memory, shortage
from ..media.files import regular_file
from ..printable import printable
from ..weights.check import check_finite, match_names
from ..weights.convert import atomic_folder, size_of, write_safetensors
from ..weights.files import TERMS, Found, advice, find, size_text
from ..weights.reader import open_weights
from .models_get import get
from .streams import in_terminal_language, show

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SHORT = {dtype: name for name, dtype in DTYPES.items()}


def run(options) -> int:
    """Returns the exit code: 0 when every file is present and valid, else 7."""
    if options.action == "convert":
        print(printable(str(convert(options.models, options.output, DTYPES.get(options.dtype)))))
        return 0
    if options.action == "get":
        for path in get(options.models, options.names, options.accept_licence):
            print(printable(str(path)))
        return 0
    findings = examine(options.models, options.thorough)
    if options.json:
        print(json.dumps(findings))
    else:
        print_findings(findings)
    return 0 if all(item["ok"] for item in findings) else InstallError.exit_code


def print_findings(findings):
    for item in findings:
        print(f"{'ok ' if item['ok'] else 'NO '} {item['name']}: {in_terminal_language(printable(item['detail']))}")
    if not all(item["ok"] for item in findings):
        show(f"\n`sonic models get` downloads what is missing.\n\n{TERMS}")


def examine(folder, thorough: bool = False) -> list[dict]:
    """[{name, ok, path, bytes, dtypes, networks, detail}] for each model file."""
    return [examine_file(found, thorough) for found in find(folder)]


def examine_file(found: Found, thorough: bool) -> dict:
    report = {
        "name": found.file.name,
        "ok": False,
        "path": str(found.path) if found.path else None,
        "bytes": None,
        "dtypes": [],
        "networks": list(found.file.networks),
        "detail": advice(found.file.networks[0]),
    }
    if found.path is None:
        return report
    try:
        file = open_weights(found.path)
        names = {key: match_names(key, file) for key in found.file.networks}
        kinds = sorted({SHORT[file.entries[name].dtype] for table in names.values() for name in table.values()})
        detail = f"{size_text(file.size)}, {' and '.join(kinds)}, {found.path}"
        if thorough:
            for table in names.values():
                check_finite(file, table)
            is_published = sha256(found.path) in found.file.sha256
            detail += ", as published" if is_published else ", complete, but not the published file"
        return report | {"ok": True, "bytes": file.size, "dtypes": kinds, "detail": detail}
    except InputError as error:
        if is_out_of_memory(error):
            raise shortage(error) from None
        return report | {"detail": str(error)}


def sha256(path) -> str:
    state = hashlib.sha256()
    with regular_file(path, str(path)) as stream:
        while block := stream.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def convert(folder, output, dtype: torch.dtype | None = None, **sizes) -> Path:
    """Writes the networks in `folder` as OUT/unet.safetensors and so on, all or none. `sizes`: {network: sizes}, for
    networks smaller than published."""
    plan = {}
    for found in find(folder):
        if found.path is None:
            raise InputError(f"{advice(found.file.networks[0])} It is missing in {folder}.")
        file = open_weights(found.path)
        names = [match_names(key, file, **sizes.get(key, {})) for key in found.file.networks]
        plan[Path(found.file.places[-1]).name] = {
            native: file.tensor(name) for table in names for native, name in table.items()
        }
    with atomic_folder(output, sum(size_of(tensors, dtype) for tensors in plan.values())) as temporary:
        for name, tensors in plan.items():
            write_safetensors(temporary / name, tensors, dtype)
    return Path(output).absolute()
