"""Reads sound, pictures and videos, and writes videos. C gets buffers, never paths."""
