"""The quality gate: what happened to a picture before it came here, and whether a face in it can be animated well.

    check.check_file(path), check.check_picture(rgb)   the verdict
    old_rule.detect_jpeg_artifacts(path)               an older rule's name and meaning: True is fine
    thresholds.LIMITS                                  the one table of limits

Measurements are made in csrc/gate; docs/gate.md explains them. The modules are imported where they are needed: `sonic
--help` must not wait for torch.
"""
