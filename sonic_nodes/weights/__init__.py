"""Weight files: found, understood without running anything in them, checked, and memory-mapped.

    check.load("unet", path)               {name: tensor}, names as csrc/models wants them; InputError says what to do
    reader.open_weights(path).entries      what a file holds: name -> type, shape, place
    files.find(folder)                     which of the model's files a folder has

The modules are imported where they are needed: `sonic --help` must not wait for torch.
"""
