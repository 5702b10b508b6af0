"""The processor and the versions that a measurement depends on, and a warning where bfloat16 is emulated."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import warnings

_CPUINFO = pathlib.Path("/proc/cpuinfo")
# Flags of x86 and Arm processors that compute in bfloat16; the others emulate it.
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
_FAST = ("avx2", "avx512f", *_BFLOAT16)
_PACKAGES = ("poster-cnn", "tensorflow", "keras", "numpy", "pandas", "pillow", "scikit-learn")


def versions(*packages):
    """Return a dict of the versions of Python, of the main packages and of `packages`; "" if one is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in (*_PACKAGES, *packages)}


def about_machine(*packages):
    """Return a dict of what a table of measurements says about the machine.

    Args:
        *packages: Names of further packages. Defaults to none.

    Returns:
        Dict: `about_processor()`, the number of `cores`, `onednn` ("1" if TensorFlow uses it), `versions(*packages)` as
        `<package>_version`, and the `date`.
    """
    about = about_processor() | {"cores": os.cpu_count(), "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "")}
    about |= {f"{name.replace('-', '_')}_version": version for name, version in versions(*packages).items()}
    return about | {"date": datetime.date.today().isoformat()}


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def about_processor():
    """Return a dict of the name of the `processor` and of those of its `flags` on which the speed of training depends.

    Example:

    >>> about_processor()
    {'processor': 'Intel(R) Xeon(R) Processor', 'flags': 'avx2 avx512f avx512_bf16 amx_bf16'}
    """
    flags = processor_flags()
    name = _cpuinfo("model name") or platform.processor() or platform.machine()
    return {"processor": name, "flags": " ".join(flag for flag in _FAST if flag in flags)}


def processor_flags():
    """Return the set of the processor's features as Linux names them, such as `"avx2"`; empty elsewhere."""
    return set(_cpuinfo("flags", "Features").split())


def _cpuinfo(*names):
    lines = _CPUINFO.read_text(errors="replace").splitlines() if _CPUINFO.is_file() else []
    named = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in named if name.strip() in names), "")


def warn_of_slow_precision(precision):
    """Warn if `precision` is `"mixed_bfloat16"` and neither a GPU nor the processor computes in bfloat16.

    Nothing is said where the features of the processor are not known.
    """
    import tensorflow as tf  # the rest of this module is for every backend

    flags = processor_flags()
    is_emulated = flags and not flags.intersection(_BFLOAT16) and not tf.config.list_logical_devices("GPU")
    if precision != "mixed_bfloat16" or not is_emulated:
        return
    warnings.warn(
        "This processor has no bfloat16 arithmetic (none of its flags is "
        f"{', '.join(_BFLOAT16)}), so precision='mixed_bfloat16' is emulated and several times slower than "
        "float32. Use precision='float32' (on the command line, --precision float32).",
        stacklevel=2,
    )
