"""Tests of the wheel for Linux on Arm on this machine: an arm64 Python that qemu-user emulates."""
