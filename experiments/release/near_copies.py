"""Measure how many copies of training posters `predict` recognizes, and how many other posters it takes for copies.

    python experiments/release/near_copies.py data/posters

Every second poster is known, as training posters are. Copies of 500 of them are recompressed, halved or cropped. Among
the posters that are not known, some are copies too, because a few movies share their posters. Expected on 10,327
posters: about two minutes.
"""

import argparse
import io
import pathlib

import pandas as pd
from PIL import Image
from tqdm import tqdm

from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.datasets.signatures import signature
from poster_cnn.files import write_text

OUT = pathlib.Path(__file__).parent.parent / "results" / "release_near_copies.csv"
NUM_COPIES = 500


def recompressed(image):
    """Return a picture after JPEG compression of quality 50."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=50)
    return Image.open(content)


def cropped(image):
    """Return a picture without 5% of its size on each side."""
    width, height = image.size
    return image.crop((round(0.05 * width), round(0.05 * height), round(0.95 * width), round(0.95 * height)))


CHANGES = {
    "recompressed, quality 50": recompressed,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "5% off each side": cropped,
    "all three": lambda image: recompressed(cropped(image.resize((image.width // 2, image.height // 2)))),
}


def main():
    """Search for copies and for other posters among the known ones, and write the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posters", type=pathlib.Path, help="folder of posters")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="the csv file")
    options = parser.parse_args()
    paths = sorted(options.posters.glob("*.jpg"))
    known, others = paths[::2], paths[1::2]
    signatures = [signature(Image.open(path).convert("RGB")) for path in tqdm(known, "known posters")]
    seen = SeenPosters.from_signatures(signatures, range(len(known)))
    rows = []
    for name, change in CHANGES.items():
        copies = [change(Image.open(path).convert("RGB")) for path in known[:: len(known) // NUM_COPIES][:NUM_COPIES]]
        rows.append((name, len(copies), sum(seen.find(image) is not None for image in copies)))
    found = sum(seen.find(Image.open(path).convert("RGB")) is not None for path in tqdm(others, "other posters"))
    table = pd.DataFrame([*rows, ("other posters", len(others), found)], columns=["posters", "tried", "found"])
    write_text(options.out, table.to_csv(index=False, lineterminator="\n"))
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
