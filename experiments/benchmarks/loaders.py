"""Datasets of PyTorch, in a module that a worker of its `DataLoader` imports quickly."""

import numpy as np
from PIL import Image


class PillowPosters:
    """A PyTorch `Dataset` of posters, read with Pillow."""

    def __init__(self, paths, size, resampling):
        self.paths, self.size, self.resampling = paths, size, resampling

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        height, width = self.size
        return np.asarray(Image.open(self.paths[number]).convert("RGB").resize((width, height), self.resampling))


class TorchvisionPosters:
    """A PyTorch `Dataset` of posters, read with torchvision and resized as uint8 with antialiasing."""

    def __init__(self, paths, size):
        self.paths, self.size = paths, size

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        from torchvision.io import ImageReadMode, decode_jpeg, read_file
        from torchvision.transforms.v2.functional import resize

        return resize(decode_jpeg(read_file(self.paths[number]), ImageReadMode.RGB), list(self.size), antialias=True)
