"""Builds for other systems on Linux: what a target is, where its compiler, headers and libraries come from."""
