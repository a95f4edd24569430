"""Weight files: found, parsed without executing anything in them, checked, and memory-mapped.

    check.load("unet", path)               {name: tensor}, named as in csrc/models; raises InputError
    reader.open_weights(path).entries      {name: Entry} with dtype, shape and offset
    files.find(folder)                     the model's files in a folder

Importers choose the modules they need, so that `sonic --help` does not import torch.
"""
