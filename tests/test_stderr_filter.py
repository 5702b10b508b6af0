"""Lines of TensorFlow, CUDA and oneDNN do not reach the terminal; all others do."""

import os
import subprocess
import sys

import pytest

from poster_cnn.cli import stderr_filter

DROPPED = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795881832.008850   16483 port.cc:153] oneDNN custom operations are on. You may see slightly",
    "I0000 00:00:1795881832.016459   16483 cudart_stub.cc:31] Could not find cuda drivers on your machine",
    "W0000 00:00:1795881832.016459 16483 gpu_device.cc:2344] Cannot dlopen some GPU libraries.",
    "E0000 00:00:1795881832.016459 16483 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error",
    "I0000 00:00:1795881832.016459 16483 device_compiler.h:196] Compiled cluster using XLA!",
    "I1128 15:38:02.016459 140213 service.cc:152] XLA service 0x7f initialized for platform CUDA",
    "2026-11-28 15:38:02.016459: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.",
    "2026-11-28 15:38:02.016459: W external/local_xla/xla/tsl/framework/cpu_allocator_impl.cc:84] Allocation exceeds",
    "2026-11-28 15:38:02.016459: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:477] Unable to register",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow",
]
KEPT = [
    "I read 10,443 rows",
    "Warning: 2 posters are broken",
    "poster-cnn: no such file: port.cc:153]",
    "2026-11-28 15:38:02 2 movies",
    "E0000 00:00:1795881832.016459 16483 bfc_allocator.cc:500] out of memory",
    "F0000 00:00:1795881832.016459 16483 check.cc:1] Check failed",
    "Fatal Python error: Segmentation fault",
]


@pytest.mark.parametrize("size", [7, 4096])
def test_passes_on_all_lines_but_those_of_tensorflow(size, tmp_path):
    content = "".join(f"{line}\n" for pair in zip(DROPPED, KEPT * 2, strict=False) for line in pair) + "half a line"
    (tmp_path / "in").write_text(content)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        stderr_filter._pass_on(source.fileno(), target.fileno())
    kept = [line for line in content.split("\n") if line not in DROPPED]
    assert (tmp_path / "out").read_text() == "\n".join(kept)


def test_shows_a_progress_bar_at_once():
    (read, write), (seen, target) = os.pipe(), os.pipe()
    os.write(write, b"\r 10%")
    os.close(write)
    stderr_filter._pass_on(read, target)
    assert os.read(seen, 100) == b"\r 10%"


SCRIPT = """
import os, sys
from poster_cnn.cli import main, stderr_filter
stderr_filter.install()
import tensorflow as tf
tf.constant(1)
print("own line", file=sys.stderr)
os.write(2, b"line of a library\\n")
sys.stderr.flush()
os.abort() if "crash" in sys.argv else None
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["", "crash"])
def test_import_of_tensorflow_is_quiet(ending):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-c", SCRIPT, ending]
    out = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert sorted(out.stderr.splitlines()) == ["line of a library", "own line"]
    assert (out.returncode == 0) == (not ending)
