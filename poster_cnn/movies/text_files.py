"""Text files in any usual encoding, plain or compressed."""

import bz2
import codecs
import gzip
import io
import lzma
import pathlib
import zipfile
import zlib

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")
_ZIP = b"PK\x03\x04"
_DECOMPRESS = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
# UTF-32 first, as its mark in little-endian order starts with that of UTF-16.
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAMPLE = 4000  # bytes from which UTF-16 without byte order mark is recognized


def read_text(path):
    """Read a text file: UTF-8, UTF-16, UTF-32, Windows-1252 or ISO-8859-1; plain, or compressed (gzip, zip, bzip2, xz).

    Args:
        path: Path of the file.

    Returns:
        `(text, notes)`: str with `\\n` at the ends of lines, and a list of findings as in `TableReport`.

    Raises:
        ValueError: If the file is a spreadsheet or a broken archive.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        content = _unpack(content)
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected a text file, plain or compressed: {error}. Received: {str(path)!r}") from None
    text, notes = decode(content)
    for old, new in (("\r\n", "\n"), ("\r", "\n"), ("\0", ""), ("\ufeff", "")):  # marks stay where files were joined
        text = text.replace(old, new)
    return text, notes


def _unpack(content):
    if content.startswith(_PICTURES):
        raise ValueError("it is a picture, and the folder of pictures is needed")
    for magic, decompress in _DECOMPRESS.items():
        if content.startswith(magic):
            return decompress(content)
    if content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(names) != 1:
                known = (
                    "spreadsheets must be saved as CSV" if "[Content_Types].xml" in names else f"it holds {names[:5]}"
                )
                raise ValueError(f"a zip archive must hold one file, and {known}")
            return archive.read(names[0])
    return content


def decode(content):
    """Decode bytes; without a byte order mark line by line, as files joined from several sources mix encodings.

    Returns:
        `(text, notes)`: str, and a list of findings as in `TableReport`.
    """
    for name, marks in (("utf-32", _UTF_32), ("utf-16", _UTF_16)):
        if content.startswith(marks):
            return _decode_wide(content, name)
    even, odd = content[:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
    if max(even, odd) > len(content[:_SAMPLE]) / 4:  # in the Latin alphabet, half of the bytes are zero
        return _decode_wide(content, "utf-16-le" if odd > even else "utf-16-be")
    lines, others = [], []
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            try:
                lines.append(line.decode("cp1252"))
            except UnicodeDecodeError:  # five bytes are undefined in Windows-1252
                lines.append(line.decode("iso-8859-1"))
            others.append(f"line {number}")
    notes = [("line in ISO-8859-1, not UTF-8", len(others), "accepted", others)] if others else []
    return "\n".join(lines), notes


def _decode_wide(content, name):
    text = content.decode(name, errors="replace")
    count = text.count("\ufffd")
    return text, [(f"character that is not {name.upper()}", count, "replaced", [])] if count else []
