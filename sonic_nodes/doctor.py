"""`sonic doctor`: every capability, whether it is there, and why not."""
import importlib
import json
import platform

MINIMUM = {"torch": (2, 10), "numpy": (1, 26), "av": (14, 2), "PIL": (10, 0), "safetensors": (0, 4)}


def report(as_json=False):
    """Print the findings; returns 0 when the draft engine can work, else 7."""
    findings = examine()
    if as_json:
        print(json.dumps(findings))
    else:
        for item in findings:
            print(f"{'ok ' if item['ok'] else 'NO '} {item['name']}: {item['detail']}")
    return 0 if all(item["ok"] for item in findings if item["required"]) else 7


def examine():
    """[{name, ok, required, detail}]"""
    checks = [check_python(), *(check_library(name, low) for name, low in MINIMUM.items())]
    for check in (check_extension, check_face_models, check_encoder):
        checks.append(guarded(check))
    checks.append(guarded(check_cuda, required=False))
    return checks


def guarded(check, required=True):
    name = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        detail, ok = check()
    except Exception as error:  # a doctor reports what is broken, whatever it is, and goes on
        detail, ok = f"{type(error).__name__}: {error}", False
    return {"name": name, "ok": ok, "required": required, "detail": detail}


def check_python():
    version = platform.python_version()
    ok = tuple(map(int, version.split(".")[:2])) >= (3, 10)
    return {"name": "python", "ok": ok, "required": True, "detail": version if ok else f"{version}; install Python 3.10 or newer"}


def check_library(name, low):
    wanted = ".".join(map(str, low))
    try:
        version = importlib.import_module(name).__version__
    except Exception as error:  # also a library that is there but does not load
        return {"name": name, "ok": False, "required": True, "detail": f"install {name} {wanted} or newer ({error})"}
    ok = tuple(int(part) for part in version.split("+")[0].split(".")[:2]) >= low
    return {"name": name, "ok": ok, "required": True, "detail": version if ok else f"{version}; update to {wanted} or newer"}


def check_extension():
    from .native import _sonic

    info = _sonic.build_info()
    return f"OpenCV {info['opencv']}, {info['threads']} threads", True


def check_face_models():
    import numpy as np

    from . import face

    found = face.find_faces(np.zeros((64, 64, 3), np.uint8))
    return "loaded; an empty picture has no face", not found


def check_encoder():
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    return (f"PyAV lacks {', '.join(missing)}: install PyAV from PyPI", False) if missing else ("H.264 and AAC", True)


def check_cuda():
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0), True
    return "none; the draft engine needs none", False
