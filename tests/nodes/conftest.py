"""A fake ComfyUI, enough to import and call the nodes. It rejects unknown arguments, so that a misspelt one fails."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from sonic_nodes.media import provenance
from tests.nodes.fake_video import ExecutionBlocker, VideoFromComponents, VideoFromFile, VideoInput
from tests.nodes.stub_engine import FRAMES, HEIGHT, WIDTH, Engine

COMMON = {"display_name", "optional", "tooltip", "lazy"}
WIDGET = COMMON | {"default", "socketless"}
ALLOWED = {
    "INT": WIDGET | {"min", "max", "step", "control_after_generate", "display_mode", "force_input"},
    "FLOAT": WIDGET | {"min", "max", "step", "round", "display_mode", "force_input"},
    "BOOLEAN": WIDGET | {"label_on", "label_off", "force_input"},
    "STRING": WIDGET | {"multiline", "placeholder", "dynamic_prompts", "force_input"},
    "COMBO": WIDGET | {"options", "control_after_generate", "upload", "image_folder", "remote"},
}


class Slot:
    """An input or output of a schema; its attributes are the arguments that were `given`."""

    def __init__(self, io_type, allowed, slot_id, options):
        unknown = set(options) - allowed
        assert not unknown, f"{slot_id}: ComfyUI has no {unknown}"
        self.io_type, self.id, self.given, self.extra_dict = io_type, slot_id, options, {}

    def __getattr__(self, name):
        return self.given.get(name)


def custom(io_type):
    class Type:
        @staticmethod
        def Input(slot_id, **options):
            return Slot(io_type, ALLOWED.get(io_type, COMMON), slot_id, options)

        @staticmethod
        def Output(slot_id, **options):
            return Slot(io_type, {"display_name", "tooltip", "is_output_list"}, slot_id, options)

    Type.io_type = io_type
    return Type


class MultiType:
    @staticmethod
    def Input(slot_id, types, **options):
        return Slot(",".join(kind.io_type for kind in types), COMMON, slot_id, options)


class NodeOutput:
    def __init__(self, *args, ui=None):
        self.args, self.ui = args, ui


class PreviewImage:
    def __init__(self, image, cls=None):
        self.image = image

    def as_dict(self):
        return {"images": [{"filename": "preview.png"}] * len(self.image), "animated": (False,)}


class ComfyNode:
    hidden = SimpleNamespace(unique_id="7")


class ModelPatcher:
    """The part of ComfyUI's class that the nodes call; tests/e2e uses the real one."""

    def __init__(self, model, load_device, offload_device, size=0):
        self.model, self.load_device, self.offload_device, self.size = model, load_device, offload_device, size

    def detach(self, unpatch_all=True):
        return self.model


class Cancelled(Exception):
    """Stands for comfy.model_management.InterruptProcessingException."""


class Comfy:
    """The state behind the fakes; tests set and read it."""

    def __init__(self, input_folder):
        self.input_folder = input_folder
        self.models = input_folder.parent / "models"
        self.texts = []
        self.free_bytes = 8 << 30
        self.total_bytes = 16 << 30
        self.cancelled = False
        self.progress = []
        self.loaded = []

    def update(self, value, total, preview):
        self.progress.append((value, total, preview))

    def throw_if_cancelled(self):
        if self.cancelled:
            raise Cancelled


def fake_folder_paths(comfy, module):
    def annotated(name):
        for kind in ("input", "output", "temp"):
            if name.endswith(f"[{kind}]"):
                return name[: -len(kind) - 3], str(comfy.input_folder)
        return name, None

    paths = module("folder_paths", models_dir=str(comfy.models))
    paths.folder_names_and_paths = {"checkpoints": ([str(comfy.models / "checkpoints")], {".safetensors", ".ckpt"})}

    def add(folder, path):
        folders = paths.folder_names_and_paths.setdefault(folder, ([], set()))[0]
        folders.extend([path] if path not in folders else [])

    def names(folder):
        roots, suffixes = paths.folder_names_and_paths[folder]
        files = ((Path(root), file) for root in roots for file in Path(root).rglob("*") if not file.is_dir())
        return sorted({str(file.relative_to(root)) for root, file in files if not suffixes or file.suffix in suffixes})

    def full(folder, name):
        files = (os.path.join(root, name) for root in paths.folder_names_and_paths[folder][0])
        return next((file for file in files if os.path.isfile(file)), None)

    paths.__dict__.update(
        get_input_directory=lambda: str(comfy.input_folder),
        get_user_directory=lambda: str(comfy.input_folder.parent / "user"),
        get_temp_directory=lambda: str(comfy.input_folder.parent / "temp"),
        get_annotated_filepath=lambda name: str(comfy.input_folder / annotated(name)[0]),
        annotated_filepath=annotated,
        exists_annotated_filepath=lambda name: (comfy.input_folder / annotated(name)[0]).exists(),
        filter_files_content_types=lambda files, kinds: [
            f for f in files if f.lower().endswith((".jpg", ".png", ".webp"))
        ],
        add_model_folder_path=add,
        get_filename_list=names,
        get_full_path=full,
        get_folder_paths=lambda folder: list(paths.folder_names_and_paths[folder][0]),
    )
    return paths


def fake_io():
    """The part of comfy_api.latest.io that the nodes use."""
    return SimpleNamespace(
        Custom=custom,
        ComfyNode=ComfyNode,
        MultiType=MultiType,
        Hidden=SimpleNamespace(unique_id="UNIQUE_ID"),
        NodeOutput=NodeOutput,
        Schema=SimpleNamespace,
        UploadType=SimpleNamespace(image="image_upload"),
        FolderType=SimpleNamespace(input="input"),
        **{
            name: custom(io_type)
            for name, io_type in {
                "Int": "INT",
                "Float": "FLOAT",
                "Boolean": "BOOLEAN",
                "Combo": "COMBO",
                "Image": "IMAGE",
                "Mask": "MASK",
                "Audio": "AUDIO",
                "Video": "VIDEO",
                "Latent": "LATENT",
                "String": "STRING",
                "ClipVision": "CLIP_VISION",
                "Vae": "VAE",
                "Model": "MODEL",
            }.items()
        },
    )


def module(name, **members):
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


def fake_management(comfy):
    return module(
        "comfy.model_management",
        get_free_memory=lambda device: comfy.free_bytes,
        get_torch_device=lambda: torch.device("cpu"),
        get_total_memory=lambda device: comfy.total_bytes,
        unet_offload_device=lambda: torch.device("cpu"),
        throw_exception_if_processing_interrupted=comfy.throw_if_cancelled,
        load_models_gpu=lambda patchers, **options: comfy.loaded.append((patchers, options)),
        OOM_EXCEPTION=torch.OutOfMemoryError,
    )


def fake_api():
    return module(
        "comfy_api.latest",
        io=fake_io(),
        ui=SimpleNamespace(PreviewImage=PreviewImage),
        ComfyExtension=object,
        Input=SimpleNamespace(Video=VideoInput),
        InputImpl=SimpleNamespace(VideoFromComponents=VideoFromComponents, VideoFromFile=VideoFromFile),
        Types=SimpleNamespace(VideoComponents=SimpleNamespace),
    )


def fake_execution(comfy):
    """The parts of comfy_execution that the nodes use."""
    context = SimpleNamespace(node_id="saving")
    return {
        "comfy_execution": module("comfy_execution", __path__=[]),
        "comfy_execution.graph_utils": module("comfy_execution.graph_utils", ExecutionBlocker=ExecutionBlocker),
        "comfy_execution.utils": module("comfy_execution.utils", get_executing_context=lambda: context),
    }


def fake_modules(comfy):
    class ProgressBar:
        def __init__(self, total):
            self.total = total

        def update_absolute(self, value, total=None, preview=None):
            comfy.throw_if_cancelled()
            comfy.update(value, total or self.total, preview)

    management = fake_management(comfy)
    patching = module("comfy.model_patcher", ModelPatcher=ModelPatcher)
    utils = module("comfy.utils", ProgressBar=ProgressBar)
    latest = fake_api()
    prompt_server = SimpleNamespace(send_progress_text=lambda text, node_id: comfy.texts.append((node_id, text)))
    return {
        "comfy": module("comfy", model_management=management, model_patcher=patching, utils=utils, __path__=[]),
        "comfy.model_patcher": patching,
        "server": module("server", PromptServer=SimpleNamespace(instance=prompt_server)),
        "comfy.model_management": management,
        "comfy.utils": utils,
        "comfy_api": module("comfy_api", latest=latest, __path__=[]),
        "comfy_api.latest": latest,
        **fake_execution(comfy),
        "folder_paths": fake_folder_paths(comfy, module),
        "nodes": module("nodes", NODE_CLASS_MAPPINGS={}),
    }


@pytest.fixture
def comfy(tmp_path, monkeypatch):
    """A new fake ComfyUI with an empty input folder; modules that imported it are removed afterwards."""
    folder = tmp_path / "input"
    folder.mkdir()
    state = Comfy(folder)
    monkeypatch.setitem(provenance.SOURCE_TYPES, Engine.name, provenance.SOURCE_TYPES["draft"])
    before = set(sys.modules)
    for name, fake in fake_modules(state).items():
        monkeypatch.setitem(sys.modules, name, fake)
    for name in [n for n in sys.modules if n.startswith("sonic_nodes.nodes")]:
        monkeypatch.delitem(sys.modules, name)
    yield state
    for name in [n for n in sys.modules if n.startswith("sonic_nodes.nodes") and n not in before]:
        del sys.modules[name]


@pytest.fixture
def extension(comfy):
    module = importlib.import_module("sonic_nodes.nodes.extension")
    module.register_folder()
    return module


@pytest.fixture
def nodes(extension):
    """The node classes by id."""
    return {node.NODE_ID: node for node in extension.NODES}


@pytest.fixture
def data():
    """SONIC_PREDATA of black pictures and silence, for the stub engine."""
    seconds = FRAMES / 25
    return {
        "version": 1,
        "image": np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        "source": np.zeros((201, 301, 3), np.uint8),
        "crop_xyxy": (0, 0, 300, 150),
        "face_xyxy": (10.0, 10.0, 90.0, 110.0),
        "mesh": np.zeros((468, 3), np.float32),
        "mask": np.ones((HEIGHT, WIDTH), np.float32),
        "duration_s": seconds,
        "audio": np.zeros(round(16000 * seconds), np.float32),
        "frames": FRAMES,
        "paste_back": False,
    }
