"""Windows' own Python and PyTorch under Wine, on Debian: sets them up and runs programs and tests in them."""
