// The language of the page, and the texts of these scripts in it.
import { app } from "../../scripts/app.js";

// As the page has it: the user's choice, or the browser's language.
export function pageLanguage() {
  return app.ui?.settings?.getSettingValue?.("Comfy.Locale") ?? navigator.language ?? "en";
}

// One of { en: ..., zh: ... }: Chinese for simplified characters, as in sonic_nodes/translation.py.
export function inPageLanguage(texts) {
  return /^zh(-(cn|sg|my|hans).*)?$/i.test(pageLanguage()) ? texts.zh : texts.en;
}
