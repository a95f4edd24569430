"""Lip-sync calibration: the offset between the sound of a clip and the mouth in its frames, and its correction. The
arithmetic is in csrc/lipsync."""
