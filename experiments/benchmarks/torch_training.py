"""Paper 1's seven-layer network in PyTorch: trains an epoch for each line of standard input, and prints posters/s.

    python torch_training.py POSTERS.npz BATCH_SIZE eager|fused|compiled

It trains in float32 with channels_last on decoded posters in memory: `eager` with Adam, `fused` with fused Adam, and
`compiled` with fused Adam and `torch.compile`, which needs a C++ compiler.
"""

import sys
import time

import numpy as np
import torch
from torch import nn


def build(height, width, num_classes):
    """Build the network of `poster_cnn.models.seven_layer_cnn`."""
    layers, channels = [], 3
    for filters in (32, 32, 32, 64):
        layers += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
        channels, height, width = filters, (height - 2) // 2, (width - 2) // 2
    layers += [nn.Flatten(), nn.Linear(channels * height * width, 64), nn.ReLU(), nn.Dropout(0.5)]
    layers += [nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, num_classes)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def main(path, batch_size, variant):
    with np.load(path) as arrays:
        images, labels = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])
    images = images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    network = build(*images.shape[2:], labels.shape[1])
    fused, loss = variant != "eager", nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), 1e-4, fused=fused)
    network.train()
    network = torch.compile(network) if variant == "compiled" else network
    for _ in sys.stdin:
        started = time.perf_counter()
        for rows in torch.randperm(len(images)).split(int(batch_size)):
            pixels = images[rows].to(torch.float32, memory_format=torch.channels_last) / 255
            optimizer.zero_grad()
            loss(network(pixels), labels[rows]).backward()
            optimizer.step()
        print(len(images) / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
