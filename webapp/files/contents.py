"""What a file is, by its own bytes: nothing that a browser says of it is believed."""

import os
from hashlib import blake2b
from typing import NamedTuple

from webapp.files.models import FILE, FILM, PICTURE, SOUND

# It may move, so the whole stays as it was sent.
GIF = "image/gif"
OTHER = (FILE, "application/octet-stream")
BLOCK = 2**20
HEAD_BYTES = 4096
# Of an MP4: how many boxes are passed on the way to its table of contents, and how much of that is read.
MAX_BOXES, MAX_CONTENTS = 64, 2**20
AUDIO_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
# The brands of MP4 that browsers play; not those of pictures (HEIC, AVIF) and of QuickTime.
MP4_BRANDS = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"MSNV", b"M4V ")
M4A_BRANDS = (b"M4A ", b"M4B ")


class Contents(NamedTuple):
    """A file's kind and media type, and the digest of its bytes."""

    kind: str
    type: str
    digest: str


def inspect(file: int, size: int) -> Contents:
    """Read the open file; to be called in a thread."""
    kind, media_type = _kind(file, os.pread(file, HEAD_BYTES, 0), size)
    digest = blake2b(digest_size=16)
    for start in range(0, size, BLOCK):
        digest.update(os.pread(file, min(BLOCK, size - start), start))
    return Contents(kind, media_type, digest.hexdigest())


def _kind(file: int, head: bytes, size: int) -> tuple[str, str]:
    if head.startswith((b"GIF87a", b"GIF89a")):
        return PICTURE, GIF
    if _is_picture(head):
        return PICTURE, "image/webp"  # as which it is drawn
    if head.startswith(b"ID3") or head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
        return SOUND, "audio/mpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return SOUND, "audio/wav"
    if head.startswith(b"OggS") and head[28:64].startswith(AUDIO_CODECS):
        return SOUND, "audio/ogg"
    if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64]:
        return (FILM, "video/webm") if b"V_" in head else (SOUND, "audio/webm")
    if head[4:8] == b"ftyp" and head[8:12] in M4A_BRANDS + MP4_BRANDS:
        is_film = head[8:12] in MP4_BRANDS and _has_film(file, size)
        return (FILM, "video/mp4") if is_film else (SOUND, "audio/mp4")
    return OTHER


def _is_picture(head: bytes) -> bool:
    is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return is_webp or head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def _has_film(file: int, size: int) -> bool:
    """Return whether an MP4 has a track to be seen, True where its table of contents is not found."""
    at = 0
    for _ in range(MAX_BOXES):
        box = os.pread(file, 16, at)
        if len(box) < 8:
            break
        length = int.from_bytes(box[:4], "big")
        if length == 1:
            length = int.from_bytes(box[8:16], "big")
        if box[4:8] == b"moov":
            contents = os.pread(file, min(length or size, MAX_CONTENTS), at)
            return any(part[8:12] == b"vide" for part in contents.split(b"hdlr")[1:])
        if length < 8 or length > size:  # no file has an end so far away, and the system may not count to it
            break
        at += length
    return True
