"""The pack's requirements: no package that a ComfyUI lacks, no version newer than its own, the same in every file."""

import os
import re
from pathlib import Path

import pytest

from sonic_nodes.extension import versions

ROOT = Path(__file__).resolve().parents[2]

# requirements.txt of ComfyUI 0.3.64, the oldest supported one, with the least version where it names one.
COMFYUI_HAS = {
    "comfyui-frontend-package": "1.27.10",
    "comfyui-workflow-templates": "0.1.95",
    "comfyui-embedded-docs": "0.2.6",
    "torch": "",
    "torchsde": "",
    "torchvision": "",
    "torchaudio": "",
    "numpy": "1.25.0",
    "einops": "",
    "transformers": "4.37.2",
    "tokenizers": "0.13.3",
    "sentencepiece": "",
    "safetensors": "0.4.2",
    "aiohttp": "3.11.8",
    "yarl": "1.18.0",
    "pyyaml": "",
    "pillow": "",
    "scipy": "",
    "tqdm": "",
    "psutil": "",
    "alembic": "",
    "sqlalchemy": "",
    "av": "14.2.0",
    "kornia": "0.7.1",
    "spandrel": "",
    "pydantic": "2.0",
    "pydantic-settings": "2.0",
}


def asked(text: str) -> dict[str, str]:
    """{name: least version or ""} of a requirements file."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    found = (re.fullmatch(r"([\w.-]+)\s*(?:[>=~]=\s*([\d.]+))?.*", line) for line in lines if line)
    return {match[1].lower(): match[2] or "" for match in found}


def ours():
    return asked((ROOT / "requirements.txt").read_text("utf-8"))


def check(comfyui):
    assert ours().keys() <= comfyui.keys()
    newer = {
        name: (least, comfyui[name])
        for name, least in ours().items()
        if comfyui[name] and versions.numbers(least) > versions.numbers(comfyui[name])
    }
    assert not newer, "these would replace packages of a ComfyUI"


def test_only_what_comfyui_has():
    check(COMFYUI_HAS)


def test_only_what_the_comfyui_here_has():
    folder = os.environ.get("COMFYUI_DIR")
    if not folder:
        pytest.skip("no ComfyUI at hand: set COMFYUI_DIR to a checkout")
    found = asked((Path(folder) / "requirements.txt").read_text("utf-8"))
    check(found)
    if (
        versions.numbers(re.search(r'"(.+?)"', (Path(folder) / "comfyui_version.py").read_text("utf-8"))[1])
        == versions.MINIMUM["comfyui"]
    ):
        assert found == COMFYUI_HAS


def test_least_versions_are_the_same_everywhere():
    """versions.py against what pip, ComfyUI, the compiler and users read."""
    least = {name: versions.text(versions.MINIMUM[name]) for name in versions.MINIMUM}
    pyproject, setup = ((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "setup.py"))
    listed = re.findall(r"^(?:dependencies|torch) = \[(.+?)\]$", pyproject, re.MULTILINE)
    assert asked("\n".join(re.findall(r'"(.+?)"', ",".join(listed)))) == {
        name: least[name] for name in versions.LIBRARIES
    }
    assert ours() == {name: least[name] for name in versions.LIBRARIES if name != "torch"}
    assert (
        f'requires-python = ">={least["python"]}"' in pyproject
        and f'requires-comfyui = ">={least["comfyui"]}"' in pyproject
    )
    major, minor = versions.MINIMUM["torch"]
    assert f'"TORCH_TARGET_VERSION", "0x{major:02X}{minor:02X}000000000000ULL"' in setup
    major, minor = versions.MINIMUM["python"]
    assert f'"Py_LIMITED_API", "0x{major:02X}{minor:02X}0000"' in setup
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in ("python", "torch", "numpy", "comfyui"):
        found = re.findall(rf"{versions.title(name)} ([\d.]+) or newer", readme)
        assert found and set(found) == {least[name]}, name


def test_the_binary_has_the_packages_version():
    from sonic_nodes import __version__
    from sonic_nodes.extension.native import _sonic

    assert _sonic.build_info()["version"] == __version__
