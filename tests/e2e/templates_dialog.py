"""The page's Templates dialog: opens the pack's list and loads a template by its card.

Cards load their pictures when they are scrolled into view, and newer pages (1.49) show hundreds of other templates
first, so the clicks wait longer than those of comfy_e2e.py.
"""

import json
import re

from tests.e2e.common import ROOT

CLICK_MS, LOAD_MS, PICTURE_MS = 60_000, 3000, 15_000
DIALOG = '.p-dialog, [role="dialog"]'
THUMBNAIL = """(card) => Math.max(0, ...[...card.querySelectorAll('img')]
  .filter((each) => !each.src.includes('default-template')).map((each) => each.naturalWidth))"""


def open_pack(page):
    """Opens the dialog at the pack's templates, which the folder's name stands for, or its Chinese title."""
    chinese = json.loads((ROOT / "locales/zh/main.json").read_text("utf-8"))["templateWorkflows"]["category"]
    titles = [page.server.pack, *chinese.values()]
    page.close_dialogs()
    page.command("Comfy.BrowseTemplates")
    title = re.compile(f"^({'|'.join(map(re.escape, titles))})$")
    entry = page.page.locator(DIALOG).get_by_text(title).first
    entry.click(timeout=CLICK_MS)  # scrolls, and tries again while the page still draws its list


def card_of(page, name):
    """The template's card, in view; TimeoutError where there is none."""
    card = page.page.locator(f'[data-testid="template-workflow-{name}"]').first
    card.wait_for(timeout=CLICK_MS)
    card.evaluate("(each) => each.scrollIntoView({ block: 'center' })")
    return card


def thumbnail_width(page, card):
    """Pixels of the picture that the card shows; 0 where none came."""
    for _ in range(PICTURE_MS // 500):
        width = card.evaluate(THUMBNAIL)
        if width:
            return width
        page.page.wait_for_timeout(500)
    return 0


def open_template(page, name):
    """Opens a template as a person does, and gives the width of its thumbnail."""
    open_pack(page)
    card = card_of(page, name)
    width = thumbnail_width(page, card)
    card.click(timeout=CLICK_MS)
    page.page.wait_for_timeout(LOAD_MS)  # the template before has gone
    page.page.wait_for_function("() => window.app.graph._nodes.length > 0", timeout=CLICK_MS)
    page.page.wait_for_timeout(1000)
    return width
