"""Motion smooth: frames.py with the smoother, file.py for videos, options.py and command.py for the command line."""
