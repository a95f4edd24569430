"""What the repository promises about itself: pages whose links lead somewhere, a version told once, lists that
agree."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

import sonic_nodes

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    tomllib = None

ROOT = Path(__file__).resolve().parent.parent
FIGURE = re.compile(r"\b\d+(?:\.\d+)?(?:\s?(?:x|times)\b|×)")


BUILT = {".venv", ".git", ".pytest_cache", ".hypothesis", ".ruff_cache", "__pycache__", "build", "dist", "out"}


def tracked(*patterns):
    """Files under version control; without git, all that were not built."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (FileNotFoundError, subprocess.CalledProcessError):
        found = [
            path.relative_to(ROOT)
            for pattern in patterns
            for path in ROOT.glob(pattern if "/" in pattern else f"**/{pattern}")
        ]
        listed = [
            name
            for name in found
            if not BUILT & set(name.parts) and name.suffix != ".so" and ".egg-info" not in str(name)
        ]
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def pages():
    return [path for path in tracked("*.md") if "golden" not in path.parts]


def links(page):
    """Relative links and pictures of a page."""
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    return [link for link in found if not link.startswith(("http:", "https:", "mailto:"))]


HELP = ROOT / "sonic_nodes/web/docs"


def folder_of_links(page):
    """ComfyUI looks for the pictures of every help page, in any language, from the folder of all of them."""
    return HELP if HELP in page.parents else page.parent


def test_links_of_the_pages_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        for link in links(page)
        if not (folder_of_links(page) / link).exists()
    ]
    assert not broken


def test_what_the_security_page_names_exists():
    """A promise names the folder that keeps it and the tests that hold it."""
    named = re.findall(r"`([\w.]+/[\w./-]*)`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 8
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_page_and_picture_of_docs_is_linked():
    linked = {(page.parent / link).resolve() for page in pages() for link in links(page)}
    mentioned = "".join(page.read_text("utf-8") for page in pages())
    orphans = [
        path
        for path in tracked("docs/*")
        if path not in linked and f"docs/{path.relative_to(ROOT / 'docs')}" not in mentioned
    ]
    assert not orphans


def test_templates_are_page_format_and_have_a_picture():
    templates = [path for path in tracked("workflows/*") if path.suffix == ".json"]
    assert templates
    for path in templates:
        assert {"nodes", "links"} <= json.loads(path.read_text("utf-8")).keys(), path
        assert path.with_suffix(".jpg").is_file(), f"{path} needs a thumbnail"


@pytest.mark.skipif(tomllib is None, reason="tomllib came with Python 3.11")
def test_one_version_and_one_list_of_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == sonic_nodes.__version__
    assert f"## {sonic_nodes.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    wanted = {line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()} - {""}
    assert wanted == set(project["dependencies"])
    assert not re.search("==|<|~", "".join(wanted)), "a bound from above replaces what ComfyUI has"


def test_exit_codes_are_the_documented_ones():
    from sonic_nodes import errors
    from sonic_nodes.commands import cli

    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    raised = {cls.exit_code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)}
    stopped = {129, 130, 143}  # 128 plus SIGHUP, SIGINT, SIGTERM
    assert cli.EXIT_INTERRUPTED in stopped
    assert {int(code) for code in table} == {0, cli.EXIT_BROKEN_PIPE} | stopped | raised


def test_options_are_the_documented_ones():
    from sonic_nodes.commands import cli

    readme = (ROOT / "README.md").read_text("utf-8")
    render = next(action for action in cli.build_parser()._actions if action.dest == "command").choices["render"]
    options = {name for action in render._actions for name in action.option_strings if name.startswith("--")} - {
        "--output"
    }
    assert options == set(re.findall(r"`(--[a-z-]+)", readme)) | {"--help"}


def test_figures_of_the_readme_are_measured():
    """A line that claims a ratio names the script in bench/ that prints it."""
    for line in (ROOT / "README.md").read_text("utf-8").splitlines():
        if FIGURE.search(line):
            named = re.findall(r"bench/\w+\.py", line)
            assert named, f"name the script in bench/: {line}"
            assert all((ROOT / name).is_file() for name in named), line


def test_nothing_of_one_machine_is_in_the_files():
    """No home folders and no private hosts, which a pasted log brings along."""
    private = re.compile(
        rb"/home/(?!me\b|user\b)\w+/|/Users/\w+/|C:\\\\Users\\\\"
        rb"|\b(?:10\.\d+|192\.168)\.\d+\.\d+\b|file:///(?:opt|root)|/root/\w"
    )
    binary = {".jpg", ".png", ".wav", ".safetensors", ".mp4"}
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()!r}"
        for path in tracked("*")
        if path.suffix not in binary
        for hit in [private.search(path.read_bytes())]
        if hit and path != Path(__file__)
    ]
    assert not found


def test_scripts_can_be_run():
    for path in tracked("*.sh", ".ci/run"):
        assert path.stat().st_mode & 0o111, path


def test_a_clone_may_have_any_name():
    """In a folder whose name is no Python name, pytest imports what ComfyUI imports, but as a file without a
    package."""
    spec = importlib.util.spec_from_file_location("__init__", ROOT / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.WEB_DIRECTORY == "./sonic_nodes/web"
