"""Notes and errors in the language of the page whose prompt is run."""

import asyncio
import inspect
import json
import re
from types import SimpleNamespace

import pytest

CHINESE = "未能测量：没有检测到人脸。"
ENGLISH = "Nothing was measured: no face was found."


@pytest.fixture
def language(extension, monkeypatch):
    from sonic_nodes.nodes import language

    language._told.clear()
    server = SimpleNamespace(client_id=None, handlers=[], posted={})
    server.routes = SimpleNamespace(post=lambda path: lambda handler: server.posted.update({path: handler}))
    server.add_on_prompt_handler = server.handlers.append
    monkeypatch.setattr(language, "server", lambda: server)
    language.register_language()
    return SimpleNamespace(module=language, server=server, say=language.in_page_language)


def test_each_page_has_its_own_language(language):
    language.module.remember("page 1", "zh-CN")
    language.module.remember("page 2", "en")
    language.server.client_id = "page 1"
    assert language.say(ENGLISH) == CHINESE
    language.server.client_id = "page 2"
    assert language.say(ENGLISH) == ENGLISH


def test_a_prompt_is_checked_in_the_language_of_its_page(language):
    """The server's client_id is then that of the prompt that runs."""
    language.module.remember("asking", "zh")
    language.server.client_id = "running"
    (note,) = language.server.handlers

    async def checked():
        assert note({"client_id": "asking"}) == {"client_id": "asking"}
        return language.say(ENGLISH)

    assert asyncio.run(checked()) == CHINESE
    assert language.say(ENGLISH) == ENGLISH


def test_the_saved_setting_counts_where_no_page_has_spoken(language, comfy):
    folder = comfy.input_folder.parent / "user" / "default"
    folder.mkdir(parents=True)
    assert language.say(ENGLISH) == ENGLISH
    (folder / "comfy.settings.json").write_text(json.dumps({"Comfy.Locale": "zh"}))
    assert language.say(ENGLISH) == CHINESE
    for broken in ("", "[1]", '{"Comfy.Locale": 3}', "{"):
        (folder / "comfy.settings.json").write_text(broken)
        assert language.say(ENGLISH) == ENGLISH


def test_what_pages_say_is_bounded(language):
    for told in (None, 3, "", "x" * 65, ["a"], {"b": 1}):
        language.module.remember(told, "zh")
    assert not language.module._told
    for number in range(1000):
        language.module.remember(str(number), "zh")
    assert len(language.module._told) == language.module.MAX_PAGES and "999" in language.module._told


def test_the_page_posts_to_the_same_route(language):
    from tests.nodes.test_help_pages import ROOT

    assert list(language.server.posted) == [language.module.ROUTE]
    assert f'"{language.module.ROUTE}"' in (ROOT / "sonic_nodes/web/sonic.js").read_text("utf-8")


@pytest.mark.parametrize("name", ["models.js", "results.js", "figures.js"])
def test_the_texts_of_the_page_are_in_both_languages(name):
    from tests.nodes.test_help_pages import ROOT

    script = (ROOT / "sonic_nodes/web" / name).read_text("utf-8")
    tables = re.search(r"\n  en: \{(.*?)\},\n  zh: \{(.*?)\},\n\};", script, re.DOTALL)
    english, chinese = (set(re.findall(r"(?:^ *|, )(\w+): [\"`(]", table, re.M)) for table in tables.groups())
    assert english == chinese and len(english) >= 3
    rest = script.replace(tables[0], "")
    assert not re.findall(r'"[A-Z][a-z]+ [a-z]+ [^"]*"', re.sub(r"//.*", "", rest))


def test_errors_notes_and_progress_are_translated(language, comfy, monkeypatch):
    from sonic_nodes.errors import InputError
    from sonic_nodes.nodes import common

    language.module.remember("page", "zh")
    language.server.client_id = "page"
    sent = []
    monkeypatch.setattr(
        common, "server", lambda: SimpleNamespace(send_progress_text=lambda text, node: sent.append(text))
    )

    @common.shown_plainly
    def fails():
        raise InputError(ENGLISH)

    with pytest.raises(ValueError, match=CHINESE):
        fails()
    assert common.notes_ui([ENGLISH, "Quality gate off."]) == {"text": (f"{CHINESE}\n质量检查已关闭。",)}
    common.send_text("1", "50 frames of 512x512\n40 %, 20 s left")
    assert sent == ["50 帧，512x512\n40 %，剩余 20 s"]
    assert "视频" in str(vars(common.images_blocked("Sonic Motion Smooth")))


def test_each_problem_is_said_once(extension):
    """ComfyUI repeats the answer of validate_inputs for each input that it names: no node names two."""
    named = {}
    for node in extension.NODES:
        if "validate_inputs" in vars(node):
            named[node.NODE_ID] = inspect.getfullargspec(node.validate_inputs).args[1:]
    assert {"SonicLoadImage", "SonicLoader", "SONIC_PreData", "SONICTLoader"} <= set(named)
    assert all(len(names) == 1 for names in named.values()), named
