"""The C extension: finds, checks and loads it, or explains why it does not load."""
