"""Picture formats that Pillow reads only with a plugin, which is imported when a file needs it."""

import contextlib
import importlib
import re

from PIL import Image

# Format -> start of the file, name in Pillow, modules to import, what to install.
_PLUGINS = {
    "HEIC": (rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "HEIF", ("pillow_heif", "pi_heif"), "pillow-heif"),
    "AVIF": (rb"....ftypavi[fs]", "AVIF", ("pillow_avif",), "pillow-avif-plugin, or Pillow 11.3 or newer"),
    "JPEG XL": (rb"\xff\x0a|\0\0\0\x0cJXL ", "JXL", ("pillow_jxl",), "pillow-jxl-plugin"),
}
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width : height in JPEG XL


def missing_plugin(data):
    """Import the plugin that a file needs; return the reason to refuse the file if it is not installed, else `None`."""
    for name, (start, registered, modules, package) in _PLUGINS.items():
        if registered not in Image.OPEN and re.match(start, data[:16], re.DOTALL):
            for module in modules:
                with contextlib.suppress(ImportError, OSError):  # OSError: a library that the plugin needs
                    plugin = importlib.import_module(module)
                    getattr(plugin, "register_heif_opener", lambda: None)()  # the others register on import
                    return None
            return f"{name}, which needs the package {package}"
    return None


def jpeg_xl_size(data):
    """Return `(width, height)` from the header of a JPEG XL file, else `None`; its plugin decodes files on opening."""
    header = _jpeg_xl_header(data)
    if not header.startswith(b"\xff\x0a"):
        return None
    bits = int.from_bytes(header[2:16], "little")

    def take(count):
        nonlocal bits
        taken, bits = bits & ((1 << count) - 1), bits >> count
        return taken

    is_small = take(1)

    def side():
        return 8 * (take(5) + 1) if is_small else take((9, 13, 18, 30)[take(2)]) + 1

    height, ratio = side(), take(3)
    return (height * _RATIOS[ratio - 1][0] // _RATIOS[ratio - 1][1] if ratio else side()), height


def _jpeg_xl_header(data):
    """Return the first bytes of the codestream, which may be in one or several boxes of a container."""
    if not data.startswith(b"\0\0\0\x0cJXL "):
        return data[:16]
    header, start = b"", 12
    while len(header) < 16 and start + 8 <= len(data):
        size, kind, content = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], start + 8
        if size == 1:  # the size follows, in 8 bytes
            size, content = int.from_bytes(data[start + 8 : start + 16], "big"), start + 16
        if kind in (b"jxlc", b"jxlp"):
            content += 4 * (kind == b"jxlp")  # the number of the part
            header += data[content : min(content + 16, start + size if size else len(data))]
        start += max(size, 8) if size else len(data)
    return header
