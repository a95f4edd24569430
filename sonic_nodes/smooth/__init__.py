"""Motion smoothing: removes flicker, shake and frame noise from a clip. The arithmetic is in csrc/smooth."""
