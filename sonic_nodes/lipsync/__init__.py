"""Lip-sync calibration: how far the sound of a clip is from the mouth in its pictures, and the move that mends it. See
csrc/lipsync."""
