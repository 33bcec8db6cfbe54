"""What files come wrapped in: gzip, Zstandard, or a zip of one file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
ZSTD = b"\x28\xb5\x2f\xfd"

_GZIP_WBITS = 31  # zlib's word for "with a gzip header"
_CHUNK = 1 << 20
_PIECE = 1 << 16  # what is read at once is lost at once
_MOST_MEMBERS = 1_000  # of a gzip that somebody hands in


def inflate(data: bytes) -> tuple[bytes, str]:
    """Plain bytes of a file, however it is wrapped, and what is wrong with its wrapping, "" if nothing.

    Everything before the damage of a gzip or of Zstandard is returned: a recorder that was killed loses only its tail.
    """
    if data.startswith(ZIP):
        return _unzip(data)
    if data.startswith(ZSTD):
        return _unzstd(data)
    if not data.startswith(GZIP):
        return data, ""
    parts: list[bytes] = []
    while data:
        member = zlib.decompressobj(wbits=_GZIP_WBITS)
        for start in range(0, len(data), _CHUNK):
            try:
                parts.append(member.decompress(data[start : start + _CHUNK]))
            except zlib.error as error:
                return b"".join(parts), f"broken gzip: {error}"
            if member.eof:
                data = (member.unused_data + data[start + _CHUNK :]).lstrip(b"\0")
                break
        else:
            return b"".join(parts), "truncated gzip: it ends before its end-of-stream mark"
    return b"".join(parts), ""


def exceeds(data: bytes, most: int) -> bool:
    """Whether a file as `inflate` takes it is larger than `most` bytes unpacked, told without unpacking more.

    One of very many pieces counts as such too: each of them costs time, however small it is.
    """
    if data.startswith(ZIP):
        return _zipped_size(data) > most
    if data.startswith(PARQUET):
        return _parquet_size(data) > most
    if data.startswith(ZSTD):
        return _zstd_exceeds(data, most)
    if not data.startswith(GZIP):
        return len(data) > most
    seen = 0
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits=_GZIP_WBITS)
        rest = data
        while rest and not member.eof:
            try:
                seen += len(member.decompress(rest, _CHUNK))
            except zlib.error:  # whoever reads it will say so
                return False
            if seen > most:
                return True
            rest = member.unconsumed_tail
        data = member.unused_data.lstrip(b"\0")
        if not data:
            return False
    return True


def _unzip(data: bytes) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [one for one in archive.infolist() if not one.is_dir()]
            if len(files) != 1:
                return b"", f"a zip of {len(files)} files, where one is wanted"
            return archive.read(files[0]), ""
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        return b"", f"broken zip: {error}"


def _zstd_chunks(data: bytes) -> Iterator[bytes]:
    """Piece by piece; an OSError where it is damaged or cut."""
    import pyarrow as pa  # a heavy import, for files that are so wrapped only

    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _unzstd(data: bytes) -> tuple[bytes, str]:
    parts: list[bytes] = []
    try:
        for piece in _zstd_chunks(data):
            parts.append(piece)  # kept, should the next one be damaged
    except OSError as error:
        return b"".join(parts), f"broken or truncated zstd: {error}"
    return b"".join(parts), ""


def _zstd_exceeds(data: bytes, most: int) -> bool:
    seen = 0
    try:
        for piece in _zstd_chunks(data):
            seen += len(piece)
            if seen > most:
                return True
    except OSError:  # whoever reads it will say so
        pass
    return False


def _zipped_size(data: bytes) -> int:
    """What a zip says its files hold; no more than that is ever read out of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sum(one.file_size for one in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError):  # whoever reads it will say so
        return 0


def _parquet_size(data: bytes) -> int:
    """What a table of plain numbers of that many rows would take: packed it may be a thousandth."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(io.BytesIO(data))
    except (pa.ArrowException, OSError):  # whoever reads it will say so
        return 0
    return max(len(data), int(about.num_rows * about.num_columns * 8))
