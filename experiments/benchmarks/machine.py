"""The machine and the versions of a measurement."""

import datetime
import importlib.metadata
import os

PACKAGES = ("tensorflow", "keras", "torch", "torchvision", "opencv-python-headless", "pillow", "numpy")


def about_machine():
    """Return a dict of the processor, its `flags` that matter, the cores, oneDNN, the versions and the date."""
    from poster_cnn.training.processor import about_processor

    versions = {f"{name.partition('-')[0]}_version": _version(name) for name in PACKAGES}
    about = about_processor() | {"cores": os.cpu_count(), "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "")}
    return about | versions | {"date": datetime.date.today().isoformat()}


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
