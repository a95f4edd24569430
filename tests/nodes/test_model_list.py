"""The list of the model's files that the button of the Sonic Loader shows."""

import asyncio
import json
import shutil
import sys
from types import ModuleType, SimpleNamespace

import pytest

from sonic_nodes.weights.files import FILES


@pytest.fixture
def model_list(extension):
    return sys.modules["sonic_nodes.nodes.model_list"]


def test_all_files_are_named_when_nothing_is_there(model_list, comfy):
    first, *lines, searched = model_list.listing()["text"].splitlines()
    assert first.startswith("0 of 6 files of the Sonic model are there. `sonic models get` downloads the others, 16.3")
    assert len(lines) == len(FILES)
    for file, line in zip(FILES, lines, strict=True):
        assert line.startswith(f"missing: Put {file.name} at models/{file.places[0]} (") and "huggingface.co" in line
    assert searched == f"Searched in: {comfy.models / 'sonic'}, {comfy.models / 'checkpoints'}."


def test_files_are_found_by_content_and_damage_is_named(model_list, comfy, small_models):
    shutil.copytree(small_models, comfy.models)
    (comfy.models / "sonic/unet.pth").rename(comfy.models / "sonic/renamed.pth")
    (comfy.models / "sonic/audio2token.pth").write_bytes(b"PK\x03\x04 broken")
    lines = model_list.listing()["text"].splitlines()
    assert lines[0] == "All 6 files of the Sonic model are there."
    assert lines[1].startswith("ok: unet.pth, ") and lines[1].endswith("renamed.pth")
    assert lines[2].startswith("unusable: ") and "audio2token.pth" in lines[2]
    assert all(line.startswith("ok: ") for line in lines[3:7])


def test_the_route_is_added_once_to_comfyuis_server(extension, model_list, monkeypatch):
    added = {}
    routes = SimpleNamespace(
        get=lambda path: lambda handler: added.update({path: handler}),
        post=lambda path: lambda handler: added.update({f"POST {path}": handler}),
    )
    asked = SimpleNamespace(query={"language": "zh-CN"})
    monkeypatch.setattr(sys.modules["server"].PromptServer, "instance", SimpleNamespace(routes=routes))
    asyncio.run(extension.SonicExtension().get_node_list())
    assert list(added) == [model_list.ROUTE, model_list.DOWNLOADS_ROUTE, f"POST {model_list.DOWNLOADS_ROUTE}"]
    fake = ModuleType("aiohttp")
    fake.web = SimpleNamespace(json_response=lambda content, status: json.dumps(content))
    monkeypatch.setitem(sys.modules, "aiohttp", fake)
    chinese = json.loads(asyncio.run(added[model_list.ROUTE](asked)))
    assert chinese["text"].startswith("Sonic 模型的 6 个文件中有 0 个。")
    assert chinese["terms"].startswith("权重不是本程序的一部分") and " the " not in chinese["terms"]
    asked.query.clear()
    assert json.loads(asyncio.run(added[model_list.ROUTE](asked)))["text"].startswith("0 of 6 files")


def test_the_page_asks_for_the_same_route(model_list):
    from tests.nodes.test_help_pages import ROOT

    script = (ROOT / "sonic_nodes/web/models.js").read_text("utf-8")
    assert f'"{model_list.ROUTE}"' in script and f'"{model_list.DOWNLOADS_ROUTE}"' in script


@pytest.mark.parametrize("name", ["fast", "high_quality"])
def test_templates_list_all_files_by_names_that_the_page_accepts(name):
    """Front end 1.27.10 shows others than .safetensors and .sft of these sources in red. Either name is found."""
    from tests.nodes.test_help_pages import ROOT

    template = json.loads((ROOT / f"workflows/{name}.json").read_text("utf-8"))
    assert len(template["models"]) == len(FILES)
    for model, file in zip(template["models"], FILES, strict=True):
        assert f"{model['directory']}/{model['name']}" in file.places
        assert model["name"].endswith((".safetensors", ".sft"))
        assert model["url"] == f"https://huggingface.co/{file.path}"
