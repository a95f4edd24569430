"""Makes sonic_nodes/assets/label/label.otf, the characters of visible labels out of Noto Sans CJK SC Bold.

    pip install fonttools
    apt-get download fonts-noto-cjk && dpkg-deb -x fonts-noto-cjk_*.deb noto
    python -m tools.label_font noto/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc

The font is under the SIL Open Font License 1.1, whose text lies beside the result; the result has a name of its own.
"""

import hashlib
import sys
from pathlib import Path

SHA256 = "faa5f3656a78b2e2d450d27fe8382c778bc2b6bb5ea29c986664a6a435056ceb"  # of Debian's 1:20220127+repack1-1
SIMPLIFIED_CHINESE = 2  # its place in the collection
TARGET = Path(__file__).resolve().parent.parent / "sonic_nodes/assets/label/label.otf"
NAME, VERSION = "Sonic Label", "Version 1.0"
FAMILY, STYLE, UNIQUE, FULL, VERSION_ID, POSTSCRIPT, TYPO_FAMILY = 1, 2, 3, 4, 5, 6, 16

# ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic as far as the font has them, and the words of labels in Chinese
# (simplified and traditional) and Japanese
RANGES = ((0x20, 0x7E), (0xA0, 0x17F), (0x384, 0x3CE), (0x400, 0x451))
LABELS = """
AI生成 AI合成 人工智能生成合成 本视频由人工智能技术生成 内容由AI生成，仅供参考。含有AI生成内容 疑似 可能 数字人 虚拟形象
声音 图像 画面 音频 影片 作品 演员 已获授权 请勿模仿 换脸 深度 标识 提示 制作 辅助 机构 工作室 公司 年月日
AI產生 人工智慧生成 本視頻由人工智能技術生成 本影片 內容 虛擬 圖像 聲音 音訊 僅供參考 標識 製作 輔助 數位
この動画はAIで生成されています 人工知能による合成映像です 音声
（）《》“”、：；！？·—…【】「」
"""


def characters() -> set[int]:
    return {code for low, high in RANGES for code in range(low, high + 1)} | {ord(c) for c in LABELS if c > " "}


def main(source: str) -> None:
    from fontTools import subset
    from fontTools.ttLib import TTCollection

    if hashlib.sha256(Path(source).read_bytes()).hexdigest() != SHA256:
        sys.exit(f"Take the font of Debian's package fonts-noto-cjk 1:20220127+repack1-1: {source} is another one.")
    font = TTCollection(source).fonts[SIMPLIFIED_CHINESE]
    options = subset.Options(layout_features=["kern"], notdef_outline=True, hinting=False, name_IDs=["*"])
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    named = {FAMILY: NAME, STYLE: "Bold", UNIQUE: f"{NAME} {VERSION}", FULL: f"{NAME} Bold", VERSION_ID: VERSION}
    for record in list(font["name"].names):
        if record.nameID in named | {POSTSCRIPT: "", TYPO_FAMILY: ""} or record.nameID > TYPO_FAMILY:
            font["name"].removeNames(nameID=record.nameID)
    for number, text in (named | {POSTSCRIPT: NAME.replace(" ", "") + "-Bold"}).items():
        font["name"].setName(text, number, 3, 1, 0x409)
    font["CFF "].cff.fontNames[0] = NAME.replace(" ", "") + "-Bold"
    font["head"].created = font["head"].modified = 0  # the same bytes every time
    font.recalcTimestamp = False
    font.save(TARGET)


if __name__ == "__main__":
    main(*sys.argv[1:])
