"""Messages in Chinese: every message has its template, and what leaves for a page or a terminal is translated whole."""

import json
import random
import re
import string
import time

import pytest

from sonic_nodes import translation
from sonic_nodes.translation import CHINESE, ENGLISH, PLACEHOLDER, language_of, terminal_language, translated
from tests.tools import message_templates

WORDS = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")  # three words in a row: English
HAN = re.compile("[\u4e00-\u9fff]")
MAX_SECONDS = 0.5


@pytest.fixture(scope="module")
def sections():
    return json.loads(message_templates.CATALOGUE.read_text("utf-8"))


@pytest.fixture(scope="module")
def wanted():
    return message_templates.templates()


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def filled(template: str) -> tuple[str, str]:
    """(the template, its translation) with a value in each place."""
    names = PLACEHOLDER.findall(template)
    values = {name: f"'value {i}'" for i, name in enumerate(names)}
    return PLACEHOLDER.sub(lambda m: values[m[1]], template), values


def test_every_message_has_its_translation(sections, wanted):
    """Where this fails: add the lines shown, translated, to "messages" in locales/zh/messages.json."""
    missing = {text: "" for text in wanted if text not in sections["messages"]}
    assert not missing, json.dumps(missing, ensure_ascii=False, indent=2)
    assert len(wanted) > 900


def test_no_translation_is_left_over(sections, wanted):
    assert [text for text in sections["messages"] if text not in wanted] == []


def test_placeholders_agree(sections):
    for section in sections.values():
        assert [text for text, chinese in section.items() if placeholders(text) != placeholders(chinese)] == []


def test_translations_are_chinese(sections):
    """A text is the same in both languages only where it is made of names and units."""
    for section in sections.values():
        for text, chinese in section.items():
            assert chinese.strip(), text
            english = WORDS.search(re.sub(r"`[^`]*`|https?://\S+|'[^']*'", "", PLACEHOLDER.sub("{}", chinese)))
            assert not english or HAN.search(chinese), chinese


def test_the_remedy_stays_first(sections):
    """An error tells what to do before its colon; so does its translation."""
    verbs = ("Choose ", "Set ", "Close ", "Convert ", "Give ", "Connect ", "Use ", "Save ", "Free ", "Export ", "Run ")
    advice = {text: zh for text, zh in sections["messages"].items() if text.startswith(verbs) and ": " in text}
    assert len(advice) > 200
    assert [zh for zh in advice.values() if not zh.startswith("请")] == []


def test_each_template_translates_what_it_makes(sections):
    """With quoted values in its places, which pass unchanged."""
    for text, chinese in sections["messages"].items():
        message, values = filled(text)
        expected = PLACEHOLDER.sub(lambda m, values=values: values[m[1]], chinese)
        assert translated(message, CHINESE) == expected


def test_english_is_left_as_it_is():
    assert translated("Nothing was measured: no face was found.", ENGLISH) == "Nothing was measured: no face was found."


@pytest.mark.parametrize(
    ("message", "chinese"),
    [
        (
            "Choose another picture or upload it again: 'a. b is empty.png' is not in ComfyUI's input folder.",
            "请选择另一张图片，或重新上传：'a. b is empty.png' 不在 ComfyUI 的 input 文件夹中。",
        ),
        (
            "The sound comes 40 ms after the mouth. It was moved by 40 ms, to the mouth.",
            "声音比嘴晚 40 毫秒。已移动 40 毫秒，与嘴对齐。",
        ),
        (
            "Corrected: shake of 1.2 px in 30, flicker of 1.0 % in 20 of 100 frames.",
            "已修正：抖动 1.2 像素（30 帧），闪烁 1.0 %（20 帧），共 100 帧。",
        ),
        (
            "Set precision to fp16 (3.20 GB), or set min_resolution to 384 (2.1 GB), or free 1.00 GB more: close other "
            "programs that use much memory. 512x512, 4.0 s, fp32: does not fit, 8.00 GB of 4.00 GB free (GPU), "
            "batched: vae encoder alone takes 8.00 GB.",
            "把 precision 设为 fp16（3.20 GB），或把 min_resolution 设为 384（2.1 GB），或再腾出 1.00 GB：关闭占用大量"
            "内存的其他程序。512x512，4.0 秒，fp32：放不下，需要 8.00 GB，可用 4.00 GB（GPU），batched：仅VAE 编码器就"
            "需要 8.00 GB。",
        ),
        (
            "2 images; the worst is number 1:\nQuality gate: warning, score 40 of 100.\nQuality gate off.",
            "2 张图像；最差的是第 1 张：\n质量检查：警告，得分 40（满分 100）。\n质量检查已关闭。",
        ),
        ("Nothing was measured: the sound is silent. Some new sentence.", "未能测量：声音是静音。 Some new sentence."),
    ],
)
def test_composed_messages(message, chinese):
    assert translated(message, CHINESE).replace("。 S", "。S") == chinese.replace("。 S", "。S")


def test_unknown_text_stays():
    for text in ("", " ", "A sentence of another pack: nothing to see.", "\n\n", "x" * 30_000, "{name} {1} %s"):
        assert translated(text, CHINESE) == text


def test_nothing_of_a_name_is_lost(sections):
    """Whatever stands in a place is in the translation as it was."""
    template = "Choose a picture, for example PNG or JPEG: {name} is empty."
    for name in ("a is empty. b", "x: y (z).", "{name}", "%s", "(.*)+$", "请", "A" * 2000, "../\\", "of of of of of"):
        assert repr(name) in translated(template.replace("{name}", repr(name)), CHINESE)


def test_work_is_bounded(sections):
    """Names made to be ambiguous, of the length that a message may have."""
    generator = random.Random(0)
    pieces = [" of ", ": ", ", ", "x", ". ", " ", "'", " is ", " and ", "Choose ", "\n", "(", ")."]
    texts = [
        template.replace("{name}", "".join(generator.choices(pieces + list(string.ascii_letters), k=2000)))
        for template in generator.sample([text for text in sections["messages"] if "{name}" in text], 12)
    ]
    for text in [*texts, "a: b. " * 3000, "Choose a " * 2000, " of " * 4000, ", or " * 3000]:
        started = time.process_time()
        translated(text, CHINESE)
        assert time.process_time() - started < MAX_SECONDS, text[:80]


@pytest.mark.parametrize(
    ("tag", "language"),
    [("zh", "zh"), ("zh-CN", "zh"), ("zh_CN.UTF-8", "zh"), ("zh_SG", "zh"), ("zh-Hans-CN", "zh")]
    + [("zh-TW", "en"), ("zh_HK.UTF-8", "en"), ("en", "en"), ("de_DE", "en"), ("", "en"), (None, "en"), (7, "en")],
)
def test_language_of(tag, language):
    assert language_of(tag) == language


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh"),
        ({"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({}, "en"),
    ],
)
def test_terminal_language(environ, language, monkeypatch):
    monkeypatch.setattr(translation.sys, "platform", "linux")
    assert terminal_language(environ) == language


def test_a_new_message_is_found(tmp_path, monkeypatch):
    """The extraction sees texts, choices in them, names that were set to texts, and formats of C."""
    monkeypatch.setattr(message_templates, "ROOT", tmp_path)
    path = tmp_path / "sonic_nodes" / "a.py"
    text = (
        '"""No message."""\nraise InputError(f"Choose {x!r}: {y.name} is " + ("too long." if z else "too short."))\n'
        'log.info("not shown here")\nkind = "one" if a else "other"\nnote = f"The {kind} way of it."\n'
    )
    assert sorted(message_templates.Source(path, text).messages()) == [
        "Choose {x}: {name} is too long.",
        "Choose {x}: {name} is too short.",
        "The one way of it.",
        "The other way of it.",
    ]
    code = 'return sonic_fail(S, big ? "Use at most %d (%s)." : "Use at " "least %zu.", f(")"), n);'
    assert list(message_templates.c_messages(code)) == ["Use at most {1} ({2}).", "Use at least {1}."]
