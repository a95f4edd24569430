"""Files in and out: sound and pictures are read here, videos are written here. Nothing below knows a path."""
