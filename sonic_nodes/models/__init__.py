"""The networks of the Sonic engine: names, shapes and calls; the arithmetic is in csrc/models."""
