"""The language of the page that a message goes to.

The page says it (web/sonic.js): its setting Comfy.Locale has the browser's language by default, which is in no file of
the server. Messages are translated here and not in the page, because an error reaches more places than this pack's
script: the page's dialogs, its history, and programs that use the server's interface.
"""

import contextvars
import json
import os
import sys
from collections import OrderedDict

import folder_paths

from ..translation import ENGLISH, language_of, translated

ROUTE = "/sonic-talking-portrait/language"  # web/sonic.js
SETTINGS = os.path.join("default", "comfy.settings.json")
MAX_PAGES, MAX_ID_CHARS, MAX_SETTINGS_BYTES = 256, 64, 1 << 20

_told: OrderedDict[str, str] = OrderedDict()  # {client id of a page: its language}
_asking: contextvars.ContextVar[str | None] = contextvars.ContextVar("_asking", default=None)


def in_page_language(text: str) -> str:
    """A message in the language of the page that it goes to."""
    return translated(text, page_language())


def page_language() -> str:
    """The language of the page whose prompt is checked or run now; of the user's settings where no page has said it."""
    client = _asking.get() or getattr(server(), "client_id", None)
    return _told.get(client) or saved_language()


def server():
    """ComfyUI's server, or None in a program without one."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def saved_language() -> str:
    """Of the default user; English where nothing is saved."""
    try:
        with open(os.path.join(folder_paths.get_user_directory(), SETTINGS), encoding="utf-8") as file:
            settings = json.loads(file.read(MAX_SETTINGS_BYTES))
    except (OSError, ValueError):
        return ENGLISH
    return language_of(settings.get("Comfy.Locale") if isinstance(settings, dict) else None)


def remember(client: object, tag: object) -> None:
    """Keeps what a page says about itself; of many pages the last ones."""
    if isinstance(client, str) and 0 < len(client) <= MAX_ID_CHARS:
        _told[client] = language_of(tag)
        _told.move_to_end(client)
        while len(_told) > MAX_PAGES:
            _told.popitem(last=False)


def register_language() -> None:
    """Lets pages say their language, and notes whose prompt is being checked."""
    found = server()
    if hasattr(found, "routes") and hasattr(found, "add_on_prompt_handler"):
        found.routes.post(ROUTE)(answer)
        found.add_on_prompt_handler(note_asker)


async def answer(request):
    from aiohttp import web  # ComfyUI's server; tests run without it

    try:
        told = await request.json()
    except ValueError:
        told = None
    if isinstance(told, dict):
        remember(told.get("client_id"), told.get("language"))
    return web.json_response({})


def note_asker(prompt):
    """Called by ComfyUI with each prompt, in the task that then checks it."""
    client = prompt.get("client_id") if isinstance(prompt, dict) else None
    _asking.set(client if isinstance(client, str) else None)
    return prompt
