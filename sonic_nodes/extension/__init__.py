"""The C extension: found, checked and loaded, or the reasons why it does not load."""
