"""The weight files of ComfyUI's model folders, extra_model_paths.yaml included: what the lists of the loaders show, and
where the files lie that belong to a choice."""

import os
from pathlib import Path

import folder_paths

from ..errors import InputError, SonicError
from .common import part

FOLDER, CHECKPOINTS = "sonic", "checkpoints"
AUTOMATIC = "automatic"
OF_CHECKPOINT = ("vae", "clip_vision")
TERMS = "Sonic's weights are for non-commercial use only; those of Stable Video Diffusion limit commercial use."

# one, made when a list is first asked for: without the compiled part the nodes still have to appear
_catalogues: dict = {}


def register_folder() -> None:
    """Makes `models/sonic` a folder of ComfyUI's. What extra_model_paths.yaml or another pack said about it stays."""
    if FOLDER not in folder_paths.folder_names_and_paths:
        folder_paths.folder_names_and_paths[FOLDER] = (
            [],
            {".safetensors", ".sft", ".pth", ".pt", ".pkl", ".bin", ".ckpt"},
        )
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def catalogue():
    module = part("weights.catalogue")
    return _catalogues.setdefault(module, module.Catalogue())


def unets() -> list[str]:
    return named(FOLDER, ("unet",))


def checkpoints() -> list[str]:
    return named(CHECKPOINTS, OF_CHECKPOINT)


def named(folder: str, networks: tuple[str, ...]) -> list[str]:
    """The names, as ComfyUI lists them, of the files in `folder` that hold these networks."""
    names = {full_path(folder, name): name for name in folder_paths.get_filename_list(folder)}
    found = catalogue().holding(networks, [path for path in names if path])
    return [names[path] for path in found]


def full_path(folder: str, name: str) -> Path | None:
    """Of a name as ComfyUI lists it; one that was saved on a system with the other slash is found too."""
    for spelt in dict.fromkeys((name, name.replace("\\", "/"))):
        found = folder_paths.get_full_path(folder, spelt)
        if found:
            return Path(found)
    return None


def chosen(folder: str, name: str, network: str) -> Path:
    """The file chosen in a list, or InputError with where it belongs and where it comes from."""
    path = full_path(folder, name)
    if path is None:
        raise InputError(absent(folder, name, network))
    return path


def absent(folder: str, name: str, network: str) -> str:
    places = " or ".join(folder_paths.get_folder_paths(folder))
    return f"{part('weights.files').advice(network)} {name} is not in {places}."


def fingerprint(unet: str, checkpoint: str | None) -> str:
    """Changes when one of the files is written again, or appears."""
    try:
        paths = paths_for(unet, checkpoint)
    except SonicError as error:
        return str(error)
    mark = part("weights.catalogue").mark_of
    return repr(sorted((key, str(path), mark(path)) for key, path in paths.items()))


def said(paths: dict[str, Path]) -> list[str]:
    """What stands under the loader after it ran."""
    return [f"UNet: {paths['unet'].name}" + (f", checkpoint: {paths['vae'].name}." if "vae" in paths else "."), TERMS]


def paths_for(unet: str, checkpoint: str | None) -> dict[str, Path]:
    """{network: file} for a UNet and a checkpoint as the lists name them. checkpoint AUTOMATIC: the first that fits;
    None: the same, but there need not be one. InputError names all that is missing."""
    files = part("weights.files")
    paths = {"unet": chosen(FOLDER, unet, "unet")}
    wanted = [file for file in files.FILES if "unet" not in file.networks and "vae" not in file.networks]
    found = {file: beside(file, paths["unet"]) for file in wanted}
    paths |= {key: path for file, path in found.items() for key in file.networks if path}
    missing = [file for file, path in found.items() if path is None]
    path = (
        automatic_checkpoint(paths["unet"])
        if checkpoint in (None, AUTOMATIC)
        else chosen(CHECKPOINTS, checkpoint, "vae")
    )
    paths |= dict.fromkeys(OF_CHECKPOINT, path) if path else {}
    missing += [files.file_of("vae")] if checkpoint and not path else []
    if missing:
        advice = " ".join(files.advice(file.networks[0]) for file in missing)
        raise InputError(
            f"{advice} {len(missing)} of the files that {unet} needs are missing; looked in {', '.join(folders())}."
        )
    return paths


def folders() -> list[str]:
    return [*folder_paths.get_folder_paths(FOLDER), *folder_paths.get_folder_paths(CHECKPOINTS)]


def beside(file, unet: Path) -> Path | None:
    """Where `file` lies: beside the UNet, in the folder above it, or in any folder that ComfyUI has for Sonic; under
    its published name or, in those folders, under any name."""
    roots = dict.fromkeys([unet.parent, unet.parent.parent, *map(Path, folder_paths.get_folder_paths(FOLDER))])
    first = part("weights.files").first
    found = next((path for path in (first(root, file) for root in roots if root.is_dir()) if path), None)
    if found is None:
        listed = (full_path(FOLDER, name) for name in folder_paths.get_filename_list(FOLDER))
        found = next(iter(catalogue().holding(file.networks, [path for path in listed if path])), None)
    return found


def automatic_checkpoint(unet: Path) -> Path | None:
    names = checkpoints()
    return full_path(CHECKPOINTS, names[0]) if names else beside(part("weights.files").file_of("vae"), unet)
