"""The public names as they are now, for tests/test_public_names.py: nodes, commands, exit codes, JSON keys, files.

    .venv/bin/python -m tests.tools.public_names > tests/public_names.json      records them

The names are taken from what the program does with small inputs, so internals may be renamed freely. Keys of JSON and
of dicts are dotted paths, [] stands for each element of a list, and the value is the type.
"""

import argparse
import asyncio
import contextlib
import functools
import hashlib
import importlib.util
import inspect
import io
import json
import re
import sys
import tempfile
import wave
from collections import defaultdict
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import sonic_nodes
from sonic_nodes import errors
from sonic_nodes.commands.cli import build_parser, main
from sonic_nodes.commands.models import convert
from sonic_nodes.gate.page import VERDICTS
from sonic_nodes.gate.thresholds import LIMITS
from tests.nodes.conftest import Comfy, fake_modules
from tests.tools.make_models import SMALL, make

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(sonic_nodes.__file__).parent
ASSETS = PACKAGE / "assets"
COLUMNS = 120
SECONDS = 0.4

# ---- what is recorded of a value


KINDS = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
    dict: "object",
    list: "array",
    tuple: "array",
}


def kind(value) -> str:
    """The name of a type in JSON's words; NumPy's arrays and PyTorch's tensors with their element type."""
    if isinstance(value, np.ndarray | torch.Tensor):
        what = "tensor" if isinstance(value, torch.Tensor) else "array"
        return f"{str(value.dtype).removeprefix('torch.')} {what} of rank {value.ndim}"
    return KINDS.get(type(value), "an object of the program")


def children(value, path: str):
    """(path, value) of what a dict or list holds."""
    if isinstance(value, dict):
        return [(f"{path}.{key}".lstrip("."), inner) for key, inner in value.items()]
    return [(f"{path}[]", inner) for inner in value] if isinstance(value, list | tuple) else []


def keys_of(value) -> dict[str, str]:
    """{dotted path: type} of all that is in a value; types that differ between elements of a list are joined by |."""
    found, waiting = defaultdict(set), children(value, "")
    while waiting:
        path, inner = waiting.pop()
        found[path].add(kind(inner))
        waiting += children(inner, path)
    return {path: "|".join(sorted(kinds)) for path, kinds in found.items()}


def added(keys: dict, to: dict) -> dict:
    """What `keys` has and `to` does not have in the same way."""
    return {path: keys.get(path, "absent") for path in keys.keys() | to.keys() if keys.get(path) != to.get(path)}


def digest(names) -> dict:
    """A list of names that is too long to be read, such as those of a network's tensors."""
    names = sorted(names)
    return {"count": len(names), "sha256": hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]}


def tensor_names(path) -> list[str]:
    with safe_open(path, "np") as file:
        return sorted(file.keys())


def names_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ---- the command, really run


class Runs:
    """`sonic` on small inputs; each result is made once. `models`: ComfyUI's models folder with small networks."""

    def __init__(self, folder: Path, models: Path):
        self.folder, self.models = folder, models
        self.portrait, self.speech = ASSETS / "sample" / "portrait.jpg", folder / "speech.wav"
        with wave.open(str(ASSETS / "sample" / "speech.wav")) as source, wave.open(str(self.speech), "wb") as out:
            out.setparams(source.getparams())
            source.setpos(source.getframerate() // 2)
            out.writeframes(source.readframes(round(SECONDS * source.getframerate())))

    def json(self, *arguments):
        """What the command prints with --json, whatever its exit code."""
        return json.loads(said(*arguments, "--json")[1])

    def render(self, *options, side: int = 128):
        return self.json("render", self.portrait, self.speech, "--min-resolution", side, *options)

    def video(self, name: str, *options):
        """(what --json prints, the file)."""
        return self.render("-o", self.folder / name, *options), self.folder / name

    @functools.cached_property
    def draft(self):
        return self.video("draft.mp4", "--frames", self.folder / "frames")

    @functools.cached_property
    def sonic_options(self):
        return "--engine", "sonic", "--models", self.models, "--device", "cpu", "--steps"

    @functools.cached_property
    def sonic(self):
        return self.video("sonic.mp4", *self.sonic_options, "1")

    @functools.cached_property
    def plans(self):
        """One that takes moments, and one that is worth measuring the machine for."""
        plan = functools.partial(self.render, "--plan-only", *self.sonic_options)
        return [plan("1"), plan("1024", side=1024)]

    @functools.cached_property
    def pictures(self) -> Path:
        """A folder with a picture of each verdict, and one that is repaired."""
        folder = self.folder / "pictures"
        folder.mkdir()
        with Image.open(self.portrait) as picture:
            small = picture.convert("RGB").resize((200, 240), Image.Resampling.LANCZOS)
        small.save(folder / "ok.png")
        small.save(folder / "warn.jpg", quality=62)
        small.save(folder / "reject.jpg", quality=30)
        (folder / "unreadable.png").write_text("no picture")
        return folder

    @functools.cached_property
    def converted(self) -> Path:
        return convert(self.models, self.folder / "converted", **SMALL)


def said(*arguments, out=None) -> tuple[int, str]:
    """(exit code, standard output) of the command."""
    out = out or io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    return code, out.getvalue()


# ---- the nodes, as ComfyUI meets them


@contextlib.contextmanager
def pack_in_comfyui(folder: Path):
    """(this pack, imported by its path as ComfyUI imports it; the fake ComfyUI)."""
    (folder / "input").mkdir(parents=True)
    comfy, name = Comfy(folder / "input"), "public_names_of_the_pack"
    with pytest.MonkeyPatch.context() as patch:
        for module, fake in fake_modules(comfy).items():
            patch.setitem(sys.modules, module, fake)
        spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py")
        pack = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, name, pack)
        spec.loader.exec_module(pack)
        try:
            yield pack, comfy
        finally:
            for module in [module for module in sys.modules if module.startswith(f"{name}.")]:
                del sys.modules[module]


def registered(pack) -> dict:
    """The node classes by id."""

    async def listed():
        return await (await pack.comfy_entrypoint()).get_node_list()

    return {node.define_schema().node_id: node for node in asyncio.run(listed())}


def node_names(node) -> dict:
    schema = node.define_schema()
    return {
        "inputs": [input_names(slot) for slot in schema.inputs],
        "outputs": [{"name": slot.display_name, "type": slot.io_type} for slot in schema.outputs],
    }


def input_names(slot) -> dict:
    """Of a list of files only that it is one. Other lists hold their fixed choices alone: there are no model files."""
    names = {"id": slot.id, "type": slot.io_type, "optional": bool(slot.optional)}
    choices = slot.options
    return names if choices is None else names | {"choices": "files" if slot.upload else list(choices)}


def travelling(nodes, runs: Runs) -> dict:
    """The dicts that one node hands to the next."""
    with Image.open(runs.portrait) as picture, wave.open(str(runs.speech)) as sound:
        image = torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32)[None] / 255)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).astype(np.float32) / 32768
        audio = {"waveform": torch.from_numpy(samples)[None, None], "sample_rate": sound.getframerate()}
    data = nodes["SONIC_PreData"].execute(audio, image, 128, 0.0, 0.18).args[0]
    found = {"SONIC_PREDATA": keys_of(data)}
    for engine, choice in (("draft", "built-in draft"), ("sonic", "unet.pth")):
        model = nodes["SonicLoader"].execute(choice).args[0]
        settings = {"dynamic_scale": 1.0, "motion_scale": 1.0, "appearance_guidance": 2.0, "audio_guidance": 7.5}
        latent = nodes["SonicInference"].execute(model, data, 0, inference_steps=1, **settings).args[0]
        found[f"LATENT of {engine}"] = keys_of(latent)
    return found


# ---- the sections


def nodes_and_dicts(runs: Runs) -> dict:
    folder = runs.folder / "comfyui"
    with pack_in_comfyui(folder) as (pack, comfy):
        nodes = registered(pack)
        folders = sys.modules["folder_paths"].folder_names_and_paths
        found = {
            "nodes": {name: node_names(node) for name, node in nodes.items()},
            "samples in the input folder": names_below(comfy.input_folder),
            "suffixes of model files": {name: sorted(suffixes) for name, (_, suffixes) in folders.items()},
            "web": web_names(ROOT / pack.WEB_DIRECTORY),
            "marks of the pack": sorted(marks_of(nodes.values())),
        }
        comfy.models.symlink_to(runs.models, target_is_directory=True)
        return found | {"dicts between nodes": travelling(nodes, runs)}


def marks_of(classes) -> set[str]:
    """By which attribute of a node class another copy of the pack, perhaps of another version, knows it."""
    return {key for node in classes for key, value in vars(node).items() if value == str(ROOT)}


def web_names(folder: Path) -> dict:
    scripts = "".join(path.read_text("utf-8") for path in sorted(folder.rglob("*.js")))
    sources = "".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    return {
        "files": names_below(folder),
        "extensions": sorted(re.findall(r'registerExtension\(\{\s*name: "([^"]+)"', scripts)),
        "routes": sorted(re.findall(r"\broutes\.\w+\(\s*[\"']([^\"']+)", sources)),
    }


def command_names(parser: argparse.ArgumentParser) -> dict:
    """Options, positional arguments in their order, and subcommands with theirs."""
    found = {"options": {}, "positional": [], "exclusive": [], "commands": {}, "needs a command": False}
    for action in parser._actions:
        facts = {"nargs": action.nargs, "required": action.required}
        if isinstance(action, argparse._SubParsersAction):
            found["commands"] = {name: command_names(below) for name, below in action.choices.items()}
            found["needs a command"] = action.required
            continue
        if action.choices is not None:
            facts["choices"] = sorted(action.choices)
        if action.option_strings:
            found["options"][", ".join(action.option_strings)] = facts
        else:
            found["positional"].append({"metavar": action.metavar} | facts)
    for group in parser._mutually_exclusive_groups:
        found["exclusive"].append([", ".join(action.option_strings) for action in group._group_actions])
    return found


def exit_codes(runs: Runs) -> dict:
    classes = inspect.getmembers(errors, lambda member: inspect.isclass(member) and issubclass(member, Exception))
    raised = (KeyboardInterrupt, BrokenPipeError, MemoryError)
    (runs.folder / "nothing").mkdir()
    pictures = sorted(runs.pictures.iterdir())
    return {
        "errors": {name: error.exit_code for name, error in classes},
        "while printing": {error.__name__: code_of_print_that_raises(error, runs) for error in raised},
        "sonic models, files missing": said("models", "--models", runs.folder / "nothing")[0],
        "sonic, wrong options": said("render", "--no-such-option")[0],
        "sonic check": {path.stem: said("check", path)[0] for path in pictures},
        "sonic check --warnings-fail": {path.stem: said("check", path, "--warnings-fail")[0] for path in pictures},
    }


def code_of_print_that_raises(error: type, runs: Runs) -> int:
    """Ctrl-C, or a reader that is gone, at the first word of output."""
    with open(runs.folder / "output", "w", encoding="utf-8") as file:

        class Output(io.StringIO):
            fileno = file.fileno

            def write(self, text):
                raise error

        return said("models", "--models", runs.models, "--json", out=Output())[0]


def json_keys(runs: Runs) -> dict:
    clip, fixed, smoothed = runs.draft[1], runs.folder / "fixed.mp4", runs.folder / "smoothed.mp4"
    (full := runs.folder / "full").mkdir()
    list(make(full, torch.float16, only=("rife",)))  # the one network whose published size is small
    return {
        "sonic render, draft": keys_of(runs.draft[0]),
        "sonic render, sonic": keys_of(runs.sonic[0]),
        "sonic render --plan-only": {key[3:]: kinds for key, kinds in keys_of(runs.plans).items() if key != "[]"},
        "sonic render --plan-only, stages": [stage["name"] for stage in runs.plans[0]["plan"]["stages"]],
        **check_keys(runs),
        "sonic sync": keys_of(runs.json("sync", clip)),
        "sonic sync --fix": keys_of(runs.json("sync", clip, "--fix", fixed)),
        "sonic smooth": keys_of(runs.json("smooth", clip, "-o", smoothed)),
        "sonic doctor": named_items(runs.json("doctor"), "required"),
        "sonic models": named_items(runs.json("models", "--models", full), "networks"),
    }


def named_items(items: list[dict], fact: str) -> dict:
    """Their keys; their names, with one fact of each."""
    return {"keys": keys_of(items), "items": {item["name"]: {fact: item[fact]} for item in items}}


def check_keys(runs: Runs) -> dict:
    repaired = runs.folder / "repaired"
    rows, more = runs.json("check", runs.pictures), runs.json("check", runs.pictures, "--repair", repaired)
    tables = [said("check", runs.pictures, "--csv", *options)[1] for options in ((), ("--repair", repaired))]
    columns = [table.splitlines()[0].split(",") for table in tables]
    return {
        "sonic check": keys_of(rows),
        "sonic check --repair, beside that": added(keys_of(more), keys_of(rows)),
        "sonic check, verdicts": sorted({*VERDICTS, *(row["verdict"] for row in rows)}),
        "sonic check, reasons": sorted({*LIMITS, *(reason["name"] for row in rows for reason in row["reasons"])}),
        "sonic check --csv": columns[0],
        "sonic check --csv --repair": columns[1],
    }


def provenance(runs: Runs) -> dict:
    """What a video says about itself: MP4's tags, the JSON in its comment, the properties of its XMP packet."""
    found = {}
    for engine, (_, video) in (("draft", runs.draft), ("sonic", runs.sonic)):
        with av.open(str(video)) as container:
            tags = dict(container.metadata)
        record, content = json.loads(tags["comment"]), video.read_bytes()
        found[engine] = {
            "tags": sorted(tags.keys() - {"major_brand", "minor_version", "compatible_brands"}),
            "record": keys_of(record),
            "values": {key: record.get(key) for key in ("engine", "software", "digital_source_type")},
            "xmp": sorted({name.decode() for name in re.findall(rb"<((?:Iptc4xmpExt|xmp|dc):\w+)>", content)}),
        }
    return found


READ = re.compile(
    r"""
    environ(?:\.get\(|\[)\s*["'](\w+)["'](?!\]\s*=[^=])   # and is not set
    | ["'](\w+)["']\ in\ os\.environ\b(?!\.)
    | getenv\(\s*["'](\w+)
""",
    re.VERBOSE,
)
READ_OF_THE_SYSTEM = {"LD_PRELOAD"}
READ_BY_SHELL = re.compile(r"\$\{([A-Z][A-Z0-9_]+):?[-=+]")


def variables() -> dict:
    """Names of environment variables that are read, by who reads them."""
    readers = {
        "program": [*PACKAGE.rglob("*.py"), *ROOT.glob("csrc/**/*.[ch]*")],
        "build and tools": [ROOT / "setup.py", *ROOT.glob("tools/**/*.py"), *ROOT.glob("tools/*.sh")],
        "tests and bench": [*ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/*.py")],
    }
    return {reader: sorted(set().union(*map(variables_in, paths))) for reader, paths in readers.items()}


def variables_in(path: Path) -> set[str]:
    pattern = READ_BY_SHELL if path.suffix == ".sh" else READ
    hits = pattern.finditer(path.read_text("utf-8"))
    return {name for hit in hits for name in hit.groups() if name} - READ_OF_THE_SYSTEM


def files(runs: Runs) -> dict:
    """What the program writes, what it looks for, and what ships with it."""
    (runs.folder / "heat").mkdir()
    said("check", runs.pictures, "--heat-map", runs.folder / "heat", "--repair", runs.folder / "heat")
    runs.draft  # noqa: B018 (writes the frames)
    return {
        "frames of sonic render": names_below(runs.folder / "frames")[:2],
        "pictures of sonic check": names_below(runs.folder / "heat"),
        "sonic models convert": {path.name: digest(tensor_names(path)) for path in runs.converted.iterdir()},
        "weights that are found": weights_found(runs),
        "assets": names_below(ASSETS),
        "gate.json": gate_json(),
        "sync.safetensors": tensor_names(ASSETS / "sync.safetensors"),
        "face models": {path.name: digest(tensor_names(path)) for path in ASSETS.glob("face_*.safetensors")},
        "workflows": names_below(ROOT / "workflows"),
        "workflows for the API": names_below(ROOT / "docs/api"),
        "locales": names_below(ROOT / "locales"),
    }


def weights_found(runs: Runs) -> list[str]:
    """Where weight files are looked for below the models folder."""
    newer = runs.folder / "newer"
    (newer / "checkpoints").mkdir(parents=True)
    (newer / "sonic").symlink_to(runs.converted, target_is_directory=True)
    found = set()
    for folder, spare in ((runs.models, None), (newer, None), (newer, newer / "checkpoints/svd_xt_1_1.safetensors")):
        if spare:
            spare.symlink_to(runs.converted / "svd.safetensors")
        paths = [item["path"] for item in runs.json("models", "--models", folder)]
        found |= {Path(path).relative_to(folder).as_posix() for path in paths if path}
    return sorted(found)


def gate_json() -> dict:
    content = json.loads((ASSETS / "gate.json").read_text("utf-8"))
    features = {name: model["features"] for name, model in content.items() if "features" in model}
    return {"keys": keys_of(content), "features": features}


def project() -> dict:
    """The names of the package, and those that `make` takes."""
    text, makefile = ((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "Makefile"))
    sections = dict(re.findall(r"^\[([\w.-]+)\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL))
    exported = [name for line in re.findall(r"^export (.+)$", makefile, re.MULTILINE) for name in line.split()]
    used = re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE) + re.findall(r"\$\(([A-Z]+)\)", makefile)
    return {
        "distribution": re.findall(r'^name = "(.+)"', sections["project"], re.MULTILINE),
        "registry": re.findall(r'^PublisherId = "(.+)"', sections["tool.comfy"], re.MULTILINE),
        "commands": sorted(re.findall(r"^([\w-]+) =", sections["project.scripts"], re.MULTILINE)),
        "extras": sorted(re.findall(r"^([\w-]+) =", sections["project.optional-dependencies"], re.MULTILINE)),
        "make targets": sorted(set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))),
        "make variables": sorted({*exported, *used}),
    }


SECTIONS = {
    "ComfyUI": nodes_and_dicts,
    "command": lambda runs: command_names(build_parser()),
    "exit codes": exit_codes,
    "JSON": json_keys,
    "provenance": provenance,
    "environment variables": lambda runs: variables(),
    "files": files,
    "project": lambda runs: project(),
}


# ---- recording and comparing


def pretty(value, indent: int = 0, taken: int = 0) -> str:
    """JSON with sorted keys; what fits into a line stands in one."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(line) + indent + taken + 1 <= COLUMNS or not value or not isinstance(value, dict | list):
        return line
    margin = "\n" + " " * (indent + 1)
    if isinstance(value, list):
        return f"[{margin}{f',{margin}'.join(pretty(inner, indent + 1) for inner in value)}\n{' ' * indent}]"
    heads = {key: f"{json.dumps(key, ensure_ascii=False)}: " for key in sorted(value)}
    lines = [head + pretty(value[key], indent + 1, len(head)) for key, head in heads.items()]
    return f"{{{margin}{f',{margin}'.join(lines)}\n{' ' * indent}}}"


def record() -> str:
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder, "models")
        list(make(models, torch.float32, small=True))
        runs = Runs(Path(folder), models)
        return pretty({section: names(runs) for section, names in SECTIONS.items()})


if __name__ == "__main__":
    print(record())
