"""Photographs the README's three steps, from the Templates dialog to a video that plays, in ComfyUI's Python:

    python -m tests.e2e.walk_pictures TOOLS COMFYUI OUT

TOOLS is the folder of comfy_e2e.py. The pictures go to docs/walk, the server's files to OUT.
"""

import sys

from PIL import Image

from tests.e2e import templates_dialog
from tests.e2e.common import ROOT, open_page

PICTURES = ROOT / "docs/walk"
SIZE = {"width": 1200, "height": 900}
RUN_S, WIDTH_PX, QUALITY = 900, 800, 60
OPEN_MOUTH_S = 6.3  # of the sample with seed 0
AROUND = """(types) => {
  const app = window.app, nodes = app.graph._nodes.filter((each) => types.includes(each.type));
  const left = Math.min(...nodes.map((each) => each.pos[0])), top = Math.min(...nodes.map((each) => each.pos[1])) - 30;
  const right = Math.max(...nodes.map((each) => each.pos[0] + each.size[0]));
  const bottom = Math.max(...nodes.map((each) => each.pos[1] + each.size[1]));
  const frame = app.canvas.canvas.getBoundingClientRect(), bars = 110;
  const scale = Math.min((frame.width - bars) / (right - left + 40), (frame.height - bars) / (bottom - top + 40));
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset = [(frame.width + 60) / 2 / scale - (left + right) / 2,
                          (frame.height + 60) / 2 / scale - (top + bottom) / 2];
  app.canvas.deselectAll?.();
  app.canvas.setDirty(true, true);
}"""
PLAY = """async (until_s) => {
  const players = [...document.querySelectorAll('video')];
  await Promise.all(players.map(async (video) => {
    video.muted = true;
    await video.play().catch(() => {});
    for (let i = 0; i < 600 && video.currentTime < until_s; i++) await new Promise((done) => setTimeout(done, 20));
    video.pause();
  }));
}"""


def save(page, name):
    page.page.wait_for_timeout(2000)
    with Image.open(page.shot(name)) as shot:
        picture = shot.convert("RGB")
    picture.thumbnail((WIDTH_PX, WIDTH_PX))
    picture.save(PICTURES / f"{name}.webp", quality=QUALITY, method=6)


def steps(harness, page):
    templates_dialog.open_pack(page)
    card = templates_dialog.card_of(page, "draft")
    assert templates_dialog.thumbnail_width(page, card)
    card.hover()
    save(page, "1_template")
    card.click()
    page.page.wait_for_timeout(templates_dialog.LOAD_MS)
    page.page.evaluate(AROUND, ["SonicLoadImage", "LoadAudio"])
    save(page, "2_choose")
    prompt = page.queue()
    end = harness.wait_end(page.events, prompt, RUN_S, page.server, tick=page.page.wait_for_timeout)
    assert end and end[1] == "execution_success", end
    page.page.wait_for_timeout(3000)
    page.page.evaluate(AROUND, ["SaveVideo"])
    page.page.evaluate(PLAY, OPEN_MOUTH_S)
    save(page, "3_result")


def main(tools, comfyui, out):
    PICTURES.mkdir(parents=True, exist_ok=True)
    with open_page(tools, comfyui, out, settings={"Comfy.Minimap.Visible": False}, size=SIZE) as (harness, page):
        steps(harness, page)


if __name__ == "__main__":
    main(*sys.argv[1:])
