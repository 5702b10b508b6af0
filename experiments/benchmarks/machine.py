"""The machine and the versions of a measurement."""

import datetime
import importlib.metadata
import os
import pathlib
import platform

PACKAGES = ("tensorflow", "keras", "torch", "torchvision", "opencv-python-headless", "pillow", "numpy")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def about_machine():
    """Return a dict of the processor, its `flags` that matter, the cores, oneDNN, the versions and the date."""
    from poster_cnn.training.processor import processor_flags

    versions = {f"{name.partition('-')[0]}_version": _version(name) for name in PACKAGES}
    flags = " ".join(name for name in FLAGS if name in processor_flags())
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "")
    about = {"processor": _processor(), "flags": flags, "cores": os.cpu_count(), "onednn": onednn}
    return about | versions | {"date": datetime.date.today().isoformat()}


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
