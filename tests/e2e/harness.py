"""comfy_e2e.py with this project's walk through the Templates dialog (templates_dialog.py); conftest.py starts it:

python -m tests.e2e.harness FOLDER_OF_COMFY_E2E --comfyui DIR ...
"""

import sys

from tests.e2e import templates_dialog
from tests.e2e.common import load_harness


def check_templates(page, result):
    """Opens each template of the pack from the dialog, and records its card and what the page says about it."""
    names = list(result["pack"]["templates"])
    test = result["templates"] = {"pack": page.server.pack, "templates": names, "cards": []}
    for name in names:
        card = {"name": name, "shown": True, "thumbnail_width": templates_dialog.open_template(page, name)}
        test["cards"].append(card)
        state = page.inspect()
        page.check_loaded(f"template {name}", state)
        page.fit()
        card |= {"nodes": state["nodes"], "screenshot": page.shot(f"template.{name}")}
        if not card["thumbnail_width"]:
            result["problems"].append(f"template {name}: its thumbnail is not shown")
    templates_dialog.open_pack(page)
    page.page.wait_for_timeout(templates_dialog.LOAD_MS)
    test["screenshot"] = page.shot("templates.dialog")
    page.close_dialogs()


def main():
    comfy_e2e = load_harness(sys.argv.pop(1))
    comfy_e2e.check_templates = check_templates
    return comfy_e2e.main()


if __name__ == "__main__":
    sys.exit(main())
