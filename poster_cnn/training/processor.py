"""Features of the processor that decide whether a precision is fast."""

import pathlib
import warnings

import tensorflow as tf

_CPUINFO = pathlib.Path("/proc/cpuinfo")
# Flags of x86 and Arm processors that compute in bfloat16; the others emulate it.
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def processor_flags():
    """Return the set of the processor's features as Linux names them, such as `"avx2"`; empty elsewhere."""
    lines = _CPUINFO.read_text(errors="replace").splitlines() if _CPUINFO.is_file() else []
    named = (line.partition(":") for line in lines)
    return next((set(value.split()) for name, _, value in named if name.strip() in ("flags", "Features")), set())


def warn_of_slow_precision(precision):
    """Warn if `precision` is `"mixed_bfloat16"` and neither a GPU nor the processor computes in bfloat16.

    Nothing is said where the features of the processor are not known.
    """
    flags = processor_flags()
    if precision != "mixed_bfloat16" or not flags or flags & _BFLOAT16 or tf.config.list_logical_devices("GPU"):
        return
    warnings.warn(
        "This processor has no bfloat16 arithmetic (none of its flags is "
        f"{', '.join(sorted(_BFLOAT16))}), so precision='mixed_bfloat16' is emulated and several times slower than "
        "float32. Use precision='float32' (on the command line, --precision float32).",
        stacklevel=2,
    )
