"""The help pages: the same sections in both languages, and every input and output with its type, range and default.

After a range or a default has changed in a schema, write the new values into the pages:

    .venv/bin/python -m tests.nodes.test_help_pages
"""

import importlib
import json
import re
import sys
import tempfile
from pathlib import Path

import pytest

from tests.nodes.conftest import Comfy, fake_modules

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {"en": ["Inputs", "Outputs", "Tips", "Example"], "zh": ["输入", "输出", "提示", "示例"]}
ITEMS = {  # - **seed** (facts): and - **种子** `seed`（facts）：
    "en": re.compile(r"^- \*\*(?P<label>\w+)\*\* \((?P<facts>[^)]*)\): ", re.MULTILINE),
    "zh": re.compile(r"^- \*\*(?P<label>[^*]+)\*\* `(?P<name>\w+)`（(?P<facts>[^）]*)）：", re.MULTILINE),
}
TERMS = {
    "en": {
        "to": " to ",
        "or more": " or more",
        "or": " or ",
        "comma": ", ",
        "default": ", default ",
        "optional": ", optional",
        "on or off": "on or off",
        "on": "on",
        "off": "off",
        "file": "a listed file",
        "folder": "a listed folder",
        "upload": "a file of the input folder",
    },
    "zh": {
        "to": " 到 ",
        "or more": " 或以上",
        "or": "或",
        "comma": "、",
        "default": "，默认值：",
        "optional": "，可选",
        "on or off": "开或关",
        "on": "开",
        "off": "关",
        "file": "列表里的文件",
        "folder": "列表里的文件夹",
        "upload": "input 文件夹里的文件",
    },
}
UNLIMITED = 1e9  # a larger maximum of a FLOAT is written as "or more"


def page(node: str, language: str) -> Path:
    return ROOT / "sonic_nodes/web/docs" / {"en": f"{node}.md", "zh": f"{node}/zh.md"}[language]


def sections(text: str) -> tuple[str, str, dict[str, str]]:
    """(title, purpose, {heading: body})."""
    head, *rest = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    title, _, purpose = head.partition("\n")
    return title.removeprefix("# "), purpose.strip(), dict(zip(rest[::2], rest[1::2], strict=True))


def facts(slot, language: str) -> str:
    """The text in parentheses after the name of an input or output: its type or range, and its default."""
    terms, kind = TERMS[language], slot.io_type
    if kind == "COMBO":
        text = choices(slot, terms)
    elif kind == "BOOLEAN" and slot.default is not None:
        text = terms["on or off"]
    elif slot.min is None:
        return kind + (terms["optional"] if slot.optional else "")
    elif isinstance(slot.max, float) and slot.max > UNLIMITED:
        text = text_of(slot.min, terms) + terms["or more"]
    else:
        text = text_of(slot.min, terms) + terms["to"] + text_of(slot.max, terms)
    return text if slot.default is None else text + terms["default"] + text_of(slot.default, terms)


def choices(slot, terms: dict) -> str:
    if slot.upload:
        return terms["upload"]
    if slot.id == "folder":
        return terms["folder"]
    names = [text_of(name, terms) for name in slot.options]
    if len(names) == 1:  # a list of files, which are absent here
        names.append(terms["file"])
    return terms["comma"].join(names[:-1]) + terms["or"] + names[-1]


def text_of(value, terms: dict) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    if isinstance(value, bool):
        return terms["on"] if value else terms["off"]
    return str(value) if isinstance(value, int) else f"{value:g}"


def slots(schema) -> list[tuple]:
    """[(name on the page, slot)], inputs before outputs. An output goes by its display name."""
    return [(slot.id, slot) for slot in schema.inputs] + [(slot.display_name, slot) for slot in schema.outputs]


@pytest.fixture
def schemas(nodes):
    return {name: node.define_schema() for name, node in nodes.items()}


@pytest.fixture
def chinese():
    return json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", SECTIONS)
def test_pages_have_a_title_a_purpose_and_the_same_sections(schemas, chinese, language):
    for node, schema in schemas.items():
        title, purpose, found = sections(page(node, language).read_text("utf-8"))
        assert title == (schema.display_name if language == "en" else chinese[node]["display_name"]), node
        assert list(found) == SECTIONS[language] and all(found.values()), node
        assert re.fullmatch(r"[^.。]+[.。]", purpose), f"{node}: the purpose is one sentence"


@pytest.mark.parametrize("language", SECTIONS)
def test_pages_have_every_input_and_output_with_its_type_range_and_default(schemas, language):
    for node, schema in schemas.items():
        _, _, found = sections(page(node, language).read_text("utf-8"))
        count = len(schema.inputs)
        for heading, expected in zip(found, (slots(schema)[:count], slots(schema)[count:]), strict=False):
            items = [item.groupdict() for item in ITEMS[language].finditer(found[heading])]
            assert [(item.get("name") or item["label"], item["facts"]) for item in items] == [
                (name, facts(slot, language)) for name, slot in expected
            ], f"{node}: run `python -m tests.nodes.test_help_pages` when a schema has changed"


def test_chinese_pages_use_the_translated_names(schemas, chinese):
    for node in schemas:
        labels = [item["label"] for item in ITEMS["zh"].finditer(page(node, "zh").read_text("utf-8"))]
        translated = [*chinese[node]["inputs"].values(), *chinese[node]["outputs"].values()]
        assert labels == [slot["name"] for slot in translated], node


def blocks(text: str) -> list[str]:
    """Headings, paragraphs and list items."""
    return [block for block in re.split(r"\n+(?=- |#)|\n{2,}", text.strip()) if block]


def test_both_languages_have_the_same_blocks_with_the_same_numbers(schemas):
    for node in schemas:
        english, translated = (blocks(page(node, language).read_text("utf-8")) for language in SECTIONS)
        assert len(english) == len(translated), node
        for pair in zip(english, translated, strict=True):
            one, other = (sorted(re.findall(r"\d+(?:\.\d+)?", block)) for block in pair)
            assert one == other, (node, pair)


@pytest.mark.parametrize(("language", "terms"), [("en", "non-commercial use only"), ("zh", "仅限非商业用途")])
def test_loader_pages_state_the_terms_of_the_weights(language, terms):
    for node in ("SonicLoader", "SONICTLoader"):
        assert terms in page(node, language).read_text("utf-8")


@pytest.mark.parametrize(("language", "words"), [("en", ("consent", "AI-generated")), ("zh", ("同意", "AI 生成"))])
def test_the_first_page_asks_for_consent_and_a_label(language, words):
    text = page("SonicLoadImage", language).read_text("utf-8")
    assert all(word in text for word in words)


def test_each_page_ends_with_the_picture_of_its_node(schemas):
    """From the folder `docs`, in every language: there ComfyUI looks for it (tests/e2e/help_pictures.py)."""
    shown = {node: f"pictures/{node}.jpg" for node in schemas}
    for node, picture in shown.items():
        for language in SECTIONS:
            last = page(node, language).read_text("utf-8").rstrip().split("\n\n")[-1]
            assert re.fullmatch(rf"!\[[^]]+\]\({re.escape(picture)}\)", last), (node, language)
        assert (ROOT / "sonic_nodes/web/docs" / picture).stat().st_size > 1000
    assert {f"pictures/{file.name}" for file in (ROOT / "sonic_nodes/web/docs/pictures").iterdir()} == {*shown.values()}


CODE_CHARACTERS, WORD_CHARACTERS = 22, 23  # 192 pixels, the panel at its narrowest


def test_no_word_is_wider_than_the_help_panel(schemas):
    for node in schemas:
        for language in SECTIONS:
            text = re.sub(r"\]\([^)]*\)", "]", page(node, language).read_text("utf-8"))
            code = [word for span in re.findall(r"`([^`]+)`", text) for word in re.split(r"\s|(?<=-)", span)]
            words = re.split(r"\s|(?<=-)|[\u2e80-\uffef]", re.sub("`[^`]+`", "", text))
            assert [word for word in code if len(word) > CODE_CHARACTERS] == [], (node, language)
            assert [word for word in words if len(word) > WORD_CHARACTERS] == [], (node, language)
            assert "\n|" not in text, "a table is wider"


def test_quoted_errors_exist(schemas):
    source = "".join(path.read_text("utf-8") for path in (ROOT / "sonic_nodes").rglob("*.py"))
    chinese = "".join(json.loads((ROOT / "locales/zh/messages.json").read_text("utf-8"))["messages"].values())
    for node in schemas:
        english = re.findall(r'^- \*\*"(.+)"\*\*', page(node, "en").read_text("utf-8"), re.MULTILINE)
        quoted = re.findall(r"^- \*\*“([^…”]+)”\*\*", page(node, "zh").read_text("utf-8"), re.MULTILINE)
        assert len(english) == len(quoted), node
        assert [error for error in english if error not in source] == []
        assert [error for error in quoted if error not in chinese] == []


def write_facts() -> None:
    """Writes the schemas' types, ranges and defaults into the pages."""
    with tempfile.TemporaryDirectory() as folder:
        (input_folder := Path(folder, "input")).mkdir()
        sys.modules.update(fake_modules(Comfy(input_folder)))
        extension = importlib.import_module("sonic_nodes.nodes.extension")
        extension.register_folder()
        for node in extension.NODES:
            for language in SECTIONS:
                update_page(page(node.NODE_ID, language), node.define_schema(), language)


def update_page(path: Path, schema, language: str) -> None:
    expected = iter(slots(schema))

    def updated(item: re.Match) -> str:
        name, slot = next(expected)
        assert name == (item.groupdict().get("name") or item["label"]), (path, name)
        start, end = item.span("facts")
        return item.string[item.start() : start] + facts(slot, language) + item.string[end : item.end()]

    path.write_text(ITEMS[language].sub(updated, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write_facts()
