"""The networks of the Sonic engine: their inputs, calls and outputs; the arithmetic is in csrc/models."""
