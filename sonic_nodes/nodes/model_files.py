"""Weight files in ComfyUI's model folders, extra_model_paths.yaml included: the choices of the loaders, and the other
files that belong to a choice."""

import math
import os
from pathlib import Path

import folder_paths

from ..errors import InputError, SonicError
from ..printable import printable
from .common import lazy_import
from .link_values import file_name_problem, unless_linked

FOLDER, CHECKPOINTS = "sonic", "checkpoints"
AUTOMATIC = "automatic"
SHOWN = 200  # characters of a name in a message
CHECKPOINT_NETWORKS = ("vae", "clip_vision")
SUFFIXES = {".safetensors", ".sft", ".pth", ".pt", ".pkl", ".bin", ".ckpt"}
LICENCE_NOTE = "Sonic's weights are for non-commercial use only; those of Stable Video Diffusion limit commercial use."

LINKED = math.nan  # a fingerprint that differs from itself: ComfyUI runs the node again

# Created at first use: the nodes must register without the compiled extension.
_catalogues: dict = {}


def register_folder() -> None:
    """Adds `models/sonic` to ComfyUI's model folders; entries of extra_model_paths.yaml or other packs stay."""
    if FOLDER not in folder_paths.folder_names_and_paths:
        folder_paths.folder_names_and_paths[FOLDER] = ([], set(SUFFIXES))
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def catalogue():
    module = lazy_import("weights.catalogue")
    return _catalogues.setdefault(module, module.Catalogue())


def unet_names() -> list[str]:
    return names_holding(FOLDER, ("unet",))


def checkpoint_names() -> list[str]:
    return names_holding(CHECKPOINTS, CHECKPOINT_NETWORKS)


def names_holding(folder: str, networks: tuple[str, ...]) -> list[str]:
    """The files in `folder` that hold these networks, by the names that ComfyUI lists."""
    names = {full_path(folder, name): name for name in folder_paths.get_filename_list(folder)}
    found = catalogue().files_with(networks, [path for path in names if path])
    return [names[path] for path in found]


def full_path(folder: str, name: str) -> Path | None:
    """The path of a listed name, None for one that leads out of the folders. A workflow saved on Windows, with
    backslashes in the name, is found too. Links inside the folders are followed: users keep models on other disks."""
    if lazy_import("media.file_names").problem_of(name):
        return None
    for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
        found = folder_paths.get_full_path(folder, spelling)
        if found and os.path.isfile(found):
            return Path(found)
    return None


def path_of_choice(folder: str, name: str, network: str) -> Path:
    """The path of a chosen file; InputError with its folder and source when it does not exist."""
    path = full_path(folder, name)
    if path is None:
        raise InputError(missing_message(folder, name, network))
    return path


def problem_with(name: str, value, folder: str, network: str) -> str | None:
    """For validate_inputs: the remedy when the input `name` is not a file in `folder`. A linked value is None."""
    problem = unless_linked(file_name_problem, name, value)
    if value is None or problem:
        return problem
    return None if full_path(folder, value) else missing_message(folder, value, network)


def missing_message(folder: str, name: str, network: str) -> str:
    places = " or ".join(folder_paths.get_folder_paths(folder))
    return f"{lazy_import('weights.files').advice(network)} {printable(str(name))[:SHOWN]} is not in {places}."


def fingerprint(unet: str | None, checkpoint: str | None) -> str | float:
    """Changes when one of the files appears or is written again, and at each run for a linked name, which is None until
    then."""
    if unet is None:
        return LINKED
    try:
        paths = paths_for(unet, checkpoint)
    except SonicError as error:
        return str(error)
    mark = lazy_import("weights.catalogue").file_state
    return repr(sorted((key, str(path), mark(path)) for key, path in paths.items()))


def notes_for(paths: dict[str, Path]) -> list[str]:
    """Notes under the loader after a run: the files in use and their licence."""
    files = f"UNet: {paths['unet'].name}" + (f", checkpoint: {paths['vae'].name}." if "vae" in paths else ".")
    return [files, LICENCE_NOTE]


def paths_for(unet: str, checkpoint: str | None) -> dict[str, Path]:
    """{network: path} for the listed names of a UNet and a checkpoint. AUTOMATIC uses the first checkpoint that fits;
    None does too, but may find none. InputError names all missing files."""
    files = lazy_import("weights.files")
    paths = {"unet": path_of_choice(FOLDER, unet, "unet")}
    companions = [file for file in files.FILES if "unet" not in file.networks and "vae" not in file.networks]
    found = {file: find_companion(file, paths["unet"]) for file in companions}
    paths |= {key: path for file, path in found.items() for key in file.networks if path}
    missing = [file for file, path in found.items() if path is None]
    path = checkpoint_path(checkpoint, paths["unet"])
    paths |= dict.fromkeys(CHECKPOINT_NETWORKS, path) if path else {}
    missing += [files.file_of("vae")] if checkpoint and not path else []
    if missing:
        advice = " ".join(files.advice(file.networks[0]) for file in missing)
        raise InputError(
            f"{advice} {len(missing)} of the files that {unet} needs are missing; "
            f"looked in {', '.join(search_folders())}."
        )
    return paths


def search_folders() -> list[str]:
    return [*folder_paths.get_folder_paths(FOLDER), *folder_paths.get_folder_paths(CHECKPOINTS)]


def find_companion(file, unet: Path) -> Path | None:
    """The path of another file that the UNet needs: by its published name beside the UNet, in the folder above or in
    the sonic folders; else by content under any name in the sonic folders."""
    roots = dict.fromkeys([unet.parent, unet.parent.parent, *map(Path, folder_paths.get_folder_paths(FOLDER))])
    first = lazy_import("weights.files").first
    found = next((path for path in (first(root, file) for root in roots if root.is_dir()) if path), None)
    if found is None:
        candidates = (full_path(FOLDER, name) for name in folder_paths.get_filename_list(FOLDER))
        found = next(iter(catalogue().files_with(file.networks, [path for path in candidates if path])), None)
    return found


def checkpoint_path(checkpoint: str | None, unet: Path) -> Path | None:
    if checkpoint not in (None, AUTOMATIC):
        return path_of_choice(CHECKPOINTS, checkpoint, "vae")
    names = checkpoint_names()
    return (
        full_path(CHECKPOINTS, names[0]) if names else find_companion(lazy_import("weights.files").file_of("vae"), unet)
    )
