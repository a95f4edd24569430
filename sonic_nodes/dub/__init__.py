"""A video clip as the portrait: its frames at 25 a second, the face followed through them, and drawn with another
mouth (csrc/dub)."""

# What follows the last frame of a clip when the speech goes on (timeline.py).
CLIP_ENDS = LOOP, FORWARD, BACK_AND_FORTH, HOLD = "loop", "forward", "back-and-forth", "hold"
