"""The quality gate: the compression history of a picture, and whether its face can be animated well.

    check.check_file(path), check.check_picture(rgb)   the verdict
    repair.repair_picture(bytes or rgb)                the picture without JPEG artefacts
    legacy_rule.detect_jpeg_artifacts(path)            True when the picture is fine
    thresholds.LIMITS                                  all limits

csrc/gate measures and csrc/repair repairs; docs/gate.md explains both. Modules are imported where they are needed, so
that `sonic --help` does not load torch.
"""
