"""The list of the model's six files for the page: name, size, folder, source and state of each, also when nothing is
there. web/sonic.js asks for it when the button "Check files" of the Sonic Loader is pressed."""

import asyncio
import sys
from pathlib import Path

import folder_paths

from ..errors import SonicError
from .common import lazy_import, log
from .model_files import CHECKPOINTS, FOLDER, catalogue, full_path

BUDGET_S = 60.0  # for the headers of new files; the page is not waiting
ROUTE = "/sonic-talking-portrait/model-files"


def register_route() -> None:
    """Adds the route to ComfyUI's server, where there is one."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if hasattr(server, "routes"):
        server.routes.get(ROUTE)(answer)


async def answer(request):
    from aiohttp import web  # ComfyUI's server; tests run without it

    # Headers of many files may be read: not in the thread that serves the page.
    text = await asyncio.get_running_loop().run_in_executor(None, listing)
    return web.json_response({"text": text})


def listing() -> str:
    """One line a file, then where it was searched and how to get what is missing."""
    try:
        files, models = lazy_import("weights.files"), lazy_import("weights.listing")
        found = [files.Found(file, path_of(file)) for file in files.FILES]
        lines = models.lines(found, catalogue())
    except SonicError as error:
        return str(error)
    missing = sum(item.path is None for item in found)
    places = ", ".join([*folder_paths.get_folder_paths(FOLDER), *folder_paths.get_folder_paths(CHECKPOINTS)])
    log.info("Sonic's model files: %d of %d are there.", len(found) - missing, len(found))
    return "\n".join([models.headline(found), *lines, f"Searched in: {places}."])


def path_of(file):
    """By its published name, else by content, in the folders that ComfyUI knows; None when it is in none of them."""
    first, folder = lazy_import("weights.files").first, CHECKPOINTS if "vae" in file.networks else FOLDER
    for root in map(Path, folder_paths.get_folder_paths(folder)):
        if path := first(root, file):
            return path
    named = (full_path(folder, name) for name in folder_paths.get_filename_list(folder))
    return next(iter(catalogue().files_with(file.networks, [path for path in named if path], BUDGET_S)), None)
