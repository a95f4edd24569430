"""The list of the model's six files for the page: name, size, licence, folder, source and state of each, also when
nothing is there. web/models.js shows it when the button "Check files" of the Sonic Loader is pressed.

Its routes also start and end downloads (model_downloads.py). The page asks how far they are, a request every half
second, instead of waiting for events of the server: an event that was sent while the page was reloaded is lost, and
ComfyUI's own events of progress belong to a node that runs. A download outlives both.
"""

import asyncio
import functools
import ipaddress
import json
from pathlib import Path
from urllib.parse import urlsplit

import folder_paths

from ..errors import SonicError, UsageError
from ..translation import language_of, translated
from .common import lazy_import, log
from .language import server
from .model_downloads import Downloads
from .model_files import CHECKPOINTS, FOLDER, catalogue, full_path

BUDGET_S = 60.0  # for the headers of new files; the page is not waiting
ROUTE = "/sonic-talking-portrait/model-files"
DOWNLOADS_ROUTE = "/sonic-talking-portrait/model-downloads"
MAX_BODY_BYTES = 1000
MESSAGES = {"headline", "text", "terms", "detail", "message", "error", "licence_text"}  # keys of a reply
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

downloads = Downloads()


def register_route() -> None:
    """Adds the routes to ComfyUI's server, where there is one."""
    if hasattr(server(), "routes"):
        server().routes.get(ROUTE)(answer)
        server().routes.get(DOWNLOADS_ROUTE)(answer_downloads)
        server().routes.post(DOWNLOADS_ROUTE)(take_order)


async def answer(request):
    # Headers of many files may be read: not in the thread that serves the page.
    return reply(request, await asyncio.get_running_loop().run_in_executor(None, listing))


async def answer_downloads(request):
    return reply(request, {"downloads": downloads.states()})


async def take_order(request):
    """{"file": key of one of the six files, "action": "download" or "cancel", "licence": the one that was shown and
    accepted}. A page of another site, or on another machine, is refused."""
    try:
        if problem := refusal(request.remote, request.headers):
            raise UsageError(problem)
        is_short = (request.content_length or MAX_BODY_BYTES + 1) <= MAX_BODY_BYTES
        order = order_of(await request.read() if is_short else b"")
        work = functools.partial(carry_out, **order)
        await asyncio.get_running_loop().run_in_executor(None, work)
    except SonicError as error:
        return reply(request, {"error": str(error), "downloads": downloads.states()}, 400)
    return reply(request, {"downloads": downloads.states()})


def reply(request, content: dict, status: int = 200):
    from aiohttp import web  # ComfyUI's server; tests run without it

    text = in_language(content, language_of(request.query.get("language")))
    return web.json_response(text, status=status)


def in_language(content, language: str):
    """The content with its messages in that language."""
    if isinstance(content, list):
        return [in_language(item, language) for item in content]
    if isinstance(content, dict):
        return {
            key: (translated if key in MESSAGES else in_language)(value, language) for key, value in content.items()
        }
    return content


def refusal(remote: str | None, headers) -> str | None:
    """Why a request to download is not from a page of this server, opened on this machine. Host is compared too: the
    page of another site may have given its own name this machine's address (DNS rebinding)."""
    here = "Open ComfyUI on the machine it runs on, or use `sonic models get` there: "
    try:
        address = ipaddress.ip_address(remote or "")
        address = getattr(address, "ipv4_mapped", None) or address
        origin, host = urlsplit(headers.get("Origin", "")), urlsplit(f"//{headers.get('Host', '')}")
        is_local = address.is_loopback and host.hostname in LOCAL_NAMES
        is_same = origin.scheme in ("http", "https") and origin.netloc == host.netloc
    except ValueError:
        return f"{here}the request has no valid address."
    if not is_local:
        return f"{here}downloads start from a page there."
    if not is_same or headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return f"{here}another page asks for a download."
    if headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
        return f"{here}the request is not JSON."
    return None


def order_of(body: bytes) -> dict[str, str]:
    try:
        given = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        given = None
    names = ("file", "action", "licence")
    if not isinstance(given, dict) or not all(isinstance(given.get(name, ""), str) for name in names):
        raise UsageError("Reload the page: it asks in a way that this version does not know.")
    return {name: given.get(name, "") for name in names}


def carry_out(file: str, action: str, licence: str) -> None:
    files = lazy_import("weights.files")
    chosen = next((each for each in files.FILES if each.key == file), None)
    if chosen is None or action not in ("download", "cancel"):
        raise UsageError("Reload the page: it asks for a file that this version does not know.")
    if action == "cancel":
        downloads.cancel(file)
        return
    if not chosen.is_free and licence != chosen.licence:
        raise UsageError(f"Accept the licence of {chosen.name} first: {chosen.licence}.")
    path = path_of(chosen)
    if path is not None:
        raise UsageError(f"Remove {path} first, if you want to download it again: it is there.")
    downloads.start(chosen, target_of(chosen))


def listing() -> dict:
    """{headline, terms, text, files: [{key, name, size, licence, free, source, url, folder, state, detail}],
    downloads}. `text` has a line a file, then where it was searched and how to get what is missing."""
    try:
        files, models = lazy_import("weights.files"), lazy_import("weights.listing")
        found = [files.Found(file, path_of(file)) for file in files.FILES]
        states = [models.state(item, catalogue()) for item in found]
    except SonicError as error:
        return {"headline": str(error), "text": str(error), "terms": "", "files": [], "downloads": {}}
    missing = sum(item.path is None for item in found)
    places = ", ".join([*folder_paths.get_folder_paths(FOLDER), *folder_paths.get_folder_paths(CHECKPOINTS)])
    log.info("Sonic's model files: %d of %d are there.", len(found) - missing, len(found))
    headline = models.headline(found)
    return {
        "headline": headline,
        "terms": files.TERMS,
        "text": "\n".join([headline, *map(": ".join, states), f"Searched in: {places}."]),
        "files": [entry(item, *state) for item, state in zip(found, states, strict=True)],
        "downloads": downloads.states(),
    }


def entry(item, state: str, detail: str) -> dict:
    file = item.file
    endpoint = lazy_import("weights.hub").ENDPOINT
    count = item.path.stat().st_size if item.path else file.bytes
    return {
        "key": file.key,
        "name": file.name,
        "size": lazy_import("weights.files").size_text(count),
        "licence": file.licence,  # as it comes back when it is accepted
        "licence_text": file.licence,
        "free": file.is_free,
        "source": file.source.split(" ")[0],
        "url": f"{endpoint}/{file.path}",
        "folder": str((item.path or target_of(file)).parent),
        "state": state,
        "detail": detail,
    }


def folder_of(file) -> str:
    return CHECKPOINTS if "vae" in file.networks else FOLDER


def target_of(file) -> Path:
    """Where a download of the file goes: the first of ComfyUI's folders for it."""
    return Path(folder_paths.get_folder_paths(folder_of(file))[0]) / file.name


def path_of(file):
    """By its published name, else by content, in the folders that ComfyUI knows; None when it is in none of them."""
    first, folder = lazy_import("weights.files").first, folder_of(file)
    for root in map(Path, folder_paths.get_folder_paths(folder)):
        if path := first(root, file):
            return path
    named = (full_path(folder, name) for name in folder_paths.get_filename_list(folder))
    return next(iter(catalogue().files_with(file.networks, [path for path in named if path], BUDGET_S)), None)
