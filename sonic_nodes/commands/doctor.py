"""`sonic doctor`: each capability, whether it is available, and the remedy where it is not.

It must work when everything else is broken, so each check imports what it needs and reports any exception.
"""

import json
import os
import platform
import re
import shutil
import sys
from functools import partial
from pathlib import Path

from ..errors import InstallError, is_out_of_memory, shortage
from ..extension import places, targets, versions
from ..extension.loading import PACK
from ..memory.host import available_bytes
from ..printable import printable, printable_lines
from .streams import in_terminal_language, show

LEAST_MEMORY_BYTES = 2 << 30
LEAST_DISK_BYTES = 1 << 30
WORKFLOW_TAGS = ("workflow", "prompt")  # as ComfyUI names them
BUILDS = {"wheel": "with its libraries inside", "local": "built on this machine"}


def run(options) -> int:
    return report(options.json) if options.file is None else report_label(options.file, options.json)


def report_label(path: str, as_json: bool) -> int:
    """Prints what a video says about its origin. InputError when it is none of this program's."""
    from ..media.provenance import read_back

    found = read_back(path)
    tags, made = (
        found["tags"],
        {key: printable(str(found.get(key))) for key in ("software", "version", "engine", "seed")},
    )
    if as_json:
        print(json.dumps(found))
        return 0
    show("ok  label: AI-generated, {software} {version}, engine {engine}, seed {seed}".format(**made))
    source = found["xmp_digital_source_type"]
    show(f"ok  for platforms (XMP): {printable(source)}" if source else " -  for platforms (XMP): none")
    stored = [name for name in WORKFLOW_TAGS if name in tags]
    show(f"{'ok ' if stored else ' - '} ComfyUI: {', '.join(stored) or 'no workflow'}")
    return 0


def report(as_json: bool = False) -> int:
    """Prints the findings. Returns 0 when the draft engine can run, else 7."""
    findings = examine()
    if as_json:
        print(json.dumps(findings))
    else:
        for item in findings:
            mark = "ok " if item["ok"] else "NO " if item["required"] else " - "
            name, detail = (in_terminal_language(printable_lines(item[key])) for key in ("name", "detail"))
            print(f"{mark} {name}: " + detail.replace("\n", "\n    "))
    return 0 if all(item["ok"] for item in findings if item["required"]) else 7


def examine() -> list[dict]:
    """[{name, ok, required, detail}], the extension's with its "build"; only required findings affect the exit code."""
    return [finding(name, required, check) for name, required, check in CHECKS]


def finding(name: str, required: bool, check) -> dict:
    more = []
    try:
        ok, detail, *more = check()
    except InstallError as error:
        if is_out_of_memory(error):
            raise shortage(error) from None
        ok, detail = False, str(error) if name == "extension" else "unknown, because the extension does not load"
    except Exception as error:  # anything may be broken; the other checks still run
        if is_out_of_memory(error):
            raise shortage(error) from None
        ok, detail = False, f"{type(error).__name__}: {error}"
    return {"name": name, "ok": ok, "required": required, "detail": detail, **(more[0] if more else {})}


def check_python():
    version = platform.python_version()
    return not versions.too_old("python", version), f"{version}, {sys.executable}"


def check_library(name: str) -> tuple[bool, str]:
    least = versions.text(versions.MINIMUM[name])
    try:
        version = versions.module(name).__version__
    except ModuleNotFoundError:
        return False, f'Run `"{sys.executable}" -m pip install "{name}>={least}"`: it is not installed.'
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return False, f"Install {versions.title(name)} {least} or newer: the installed one does not load ({error})."
    old = versions.too_old(name, version)
    return not old, f"{old}." if old else f"{version} (required: {least} or newer)"


def check_pillow():
    ok, detail = check_library("pillow")
    if ok:
        from PIL import features

        turbo = features.version_feature("libjpeg_turbo")
        detail += f", JPEG by libjpeg-turbo {turbo}" if turbo else ", JPEG by libjpeg without SIMD"
    return ok, detail


def comfyui_version_file() -> Path | None:
    """comfyui_version.py of the ComfyUI that contains this pack, or that $COMFYUI_DIR names."""
    folders = [PACK.parent.parent] if PACK.parent.name == "custom_nodes" else []
    folders += [Path(os.environ["COMFYUI_DIR"])] if os.environ.get("COMFYUI_DIR") else []
    return next((file for folder in folders if (file := folder / "comfyui_version.py").is_file()), None)


def check_comfyui():
    file = comfyui_version_file()
    if file is None:
        return False, (
            "move this folder into ComfyUI's custom_nodes, or set $COMFYUI_DIR: ComfyUI was not found "
            "(the command line does not need it)"
        )
    version = re.search(r"__version__ = [\"'](.+?)[\"']", file.read_text("utf-8")).group(1)
    old = versions.too_old("comfyui", version)
    return not old, f"{old}." if old else f"{version}, {file.parent}"


def build_info() -> dict:
    from ..extension.native import _sonic

    return _sonic.build_info()


def check_extension():
    from ..extension.native import _sonic

    info = build_info()
    made = f"version {info['version']} for {targets.title(info['target'])} ({info['target']})"
    detail = f"{made}, {info['compiler']}, {BUILDS.get(info['build'], info['build'])}, {_sonic.__file__}"
    old = [str(path) for path in places.left_over()]
    facts = {name: info[name] for name in ("version", "target", "compiler", "build")}
    build = {**facts, "path": _sonic.__file__, "tested": check_tested()[1]}
    return True, detail + (f"; delete what other versions left: {', '.join(old)}" if old else ""), {"build": build}


def check_tested():
    """Whether the build was tested on a system like this one before it was published."""
    info = build_info()
    target = targets.find(info["target"])
    if info["build"] != "wheel" or target is None:
        return True, "a build of this machine: `make test` tests it"
    return target.on_itself, f"the build for {target.title}: {target.tested}"


def check_threads():
    return True, f"{build_info()['threads']} in PyTorch's pool, {os.cpu_count()} processors"


def check_simd():
    info = build_info()
    return True, f"OpenCV {info['opencv']}: {info['simd']}"


def check_optional():
    missing = [f"{name}: {use}" for name, use, present in build_info()["optional"] if not present]
    available = [use for _, use, present in build_info()["optional"] if present]
    return not missing, "this PyTorch lacks " + "; ".join(missing) if missing else "; ".join(available)


def check_face_models():
    import numpy as np

    from .. import face

    return not face.find_faces(np.zeros((64, 64, 3), np.uint8)), "loaded; no face is found in an empty picture"


def check_encoder():
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    return (
        (False, f"Install PyAV from PyPI: this one lacks {', '.join(missing)}.") if missing else (True, "H.264 and AAC")
    )


def check_cuda():
    import torch

    from . import graphics_cards

    text, facts = graphics_cards.examine()
    if text:
        return all(card["problem"] is None for card in facts["cards"]), text, facts
    return False, f"none: {why_no_cuda(torch)} (the draft engine does not need it)"


def check_kernels():
    """In float16, in which a card usually computes. Compiles them where no run has done so."""
    import torch

    from .graphics_cards import examine_kernels

    return examine_kernels(torch.float16)


def why_no_cuda(torch) -> str:
    if not torch.version.cuda:
        return f"PyTorch {torch.__version__} was built without CUDA"
    try:
        torch.cuda.init()
    except Exception as error:  # its text is the driver's
        return str(error).splitlines()[0].rstrip(".")
    return "the driver shows no device"


def models_folder() -> Path | None:
    named = os.environ.get("SONIC_MODELS")
    comfyui = comfyui_version_file()
    folders = [Path(named)] if named else [comfyui.parent / "models"] if comfyui else []
    return next(iter([*folders, *(folder for folder in [Path("models")] if folder.is_dir())]), None)


def check_weights():
    from .models import examine as examine_weights

    folder = models_folder()
    if folder is None:
        return False, "set $SONIC_MODELS to ComfyUI's models folder to check them (the draft engine does not need them)"
    found = examine_weights(folder)
    unusable = [item["name"] for item in found if not item["ok"]]
    detail = f"{len(found) - len(unusable)} of {len(found)} files of the Sonic model in {folder}"
    return not unusable, detail + (
        f"; missing or unusable: {', '.join(unusable)} (details: `sonic models`)" if unusable else ""
    )


def check_memory():
    free = available_bytes()
    if free is None:
        return False, "unknown on this system"
    remedy = "" if free >= LEAST_MEMORY_BYTES else ": close other programs"
    return not remedy, f"{free / 1e9:.1f} GB free{remedy}"


def check_disk():
    free = shutil.disk_usage(".").free
    remedy = "" if free >= LEAST_DISK_BYTES else ": delete files"
    return not remedy, f"{free / 1e9:.1f} GB free in {Path.cwd()}{remedy}"


# (name, whether the draft engine needs it, check: () -> (ok, detail))
CHECKS = [
    ("python", True, check_python),
    *((name, True, check_pillow if name == "pillow" else partial(check_library, name)) for name in versions.LIBRARIES),
    ("extension", True, check_extension),
    ("face models", True, check_face_models),
    ("encoder", True, check_encoder),
    ("tested", False, check_tested),
    ("threads", False, check_threads),
    ("simd", False, check_simd),
    ("newer functions of PyTorch", False, check_optional),
    ("comfyui", False, check_comfyui),
    ("cuda", False, check_cuda),
    ("kernels for the card", False, check_kernels),
    ("weights", False, check_weights),
    ("memory", False, check_memory),
    ("disk", False, check_disk),
]
