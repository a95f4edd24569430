"""The findings of inspection.py in sentences, for people."""

from __future__ import annotations

from ..media.provenance import IPTC_TERMS
from ..printable import printable

SHOWN_CHARS = 400
MEANINGS = {
    "trainedAlgorithmicMedia": "made by a trained model",
    "compositeWithTrainedAlgorithmicMedia": "a composite with parts made by a trained model",
    "compositeSynthetic": "a composite with synthetic parts",
    "algorithmicMedia": "made by an algorithm without training",
}
LABELS = {
    "1": "AIGC (GB 45438-2025): Label 1, generated",
    "2": "AIGC (GB 45438-2025): Label 2, possibly generated",
    "3": "AIGC (GB 45438-2025): Label 3, suspected to be generated",
}


def lines_of(found: dict) -> list[str]:
    """Lines of text; those parts that come from the file are escaped and cut."""
    return [
        _headline(found),
        *_label(found["label"]),
        *_source_type(found["digital_source_type"]),
        *_aigc(found["aigc"]),
        *_consents(found["consent"]),
        *_visible(found["visible_label"]),
        *_watermarks(found["watermarks"]),
        *([f"XMP: {_cut(found['xmp'])}"] if found["xmp"].startswith("refused") else []),
        *_signature(found["signature"]),
    ]


def _headline(found: dict) -> str:
    if found["ai_generated"]:
        return "AI-generated: the file says so."
    if found["aigc"]:
        return "Possibly AI-generated: the file has a label that says so."
    return "Nothing in this file says that it is AI-generated. That is no proof that it is not."


def _cut(text: object) -> str:
    text = printable(str(text))
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."


def _label(label: dict | None) -> list[str]:
    if label is None:
        return ["Label of this program: none"]
    made = {key: _cut(value) for key, value in label.items()}
    return ["Label of this program: {software} {version}, engine {engine}, seed {seed}".format(**made)]


def _watermarks(watermarks: list[dict]) -> list[str]:
    if not watermarks:
        return ["Watermark: none"]
    return [
        f"Watermark: {each['payload']} from {each['first_s']:.1f} s on, read {each['windows']} times"
        + (", as the label says" if each["labelled"] else "; the label does not name it")
        for each in watermarks
    ]


def _source_type(url: str | None) -> list[str]:
    if url is None:
        return ["IPTC digital source type: none"]
    term = url.removeprefix(IPTC_TERMS)
    meaning = MEANINGS.get(term)
    return [f"IPTC digital source type: {_cut(term)}" + (f" ({meaning})" if meaning else "")]


def _aigc(aigc: dict | None) -> list[str]:
    if aigc is None:
        return ["AIGC (GB 45438-2025): none"]
    fields = aigc["mp4"] or aigc["xmp"]
    label = str(fields.get("Label"))
    lines = [LABELS.get(label) or f"AIGC (GB 45438-2025): Label {_cut(label)}, which is none of the standard's"]
    lines += [f"    {name}: {_cut(value)}" for name, value in fields.items() if name != "Label"]
    if aigc["missing"]:
        lines.append(f"    not given: {', '.join(aigc['missing'])}")
    if not aigc["agree"]:
        where = "in MP4 alone" if not aigc["xmp"] else "in XMP alone" if not aigc["mp4"] else "not the same in XMP"
        lines.append(f"    {where}")
    return lines


def _consents(consents: list[dict]) -> list[str]:
    if not consents:
        return ["Consent: none"]
    return [line for consent in consents for line in _consent(consent)]


def _consent(consent: dict) -> list[str]:
    lines = [f"Consent: {_cut(consent['text'])}", f"    SHA-256 {_cut(consent['sha256'])}"]
    return lines + [f"    until {_cut(consent['until'])}"] if consent["until"] else lines


def _visible(visible: dict | None) -> list[str]:
    return [f"Visible label: {_cut(visible['text'])}, {_cut(visible['corner'])}"] if visible else []


def _signature(signature: dict | None) -> list[str]:
    if signature is None:
        return ["Signature (C2PA): none"]
    problems = ", ".join(map(_cut, signature["problems"]))
    state = signature["state"]
    if state == "unverified":
        return ["Signature (C2PA): present, not verified", f"    {problems}"]
    if state == "invalid":
        return [f"Signature (C2PA): INVALID, the file or its manifest was changed ({problems})"]
    by = f"{_cut(signature['signer'])}, {_cut(signature['issuer'])}"
    lines = [
        f"Signature (C2PA): whole and trusted, by {by}"
        if state == "trusted"
        else f"Signature (C2PA): whole, by {by}; not among the trusted authorities"
    ]
    return lines + [f"    made from: {_cut(title)}" for title in signature["ingredients"]]
