"""What can be told of a picture, and a small copy of it. Runs in a worker thread.

Promises: only the four SHOWN formats are tried; nothing with more pixels than the bounds is decoded; the small copy is
a new picture that has none of the original's metadata (place, camera, comments), turned as EXIF asks; what can not be
decoded is said to be broken, whatever the decoder raised.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Final

from PIL import Image, ImageOps

THUMBNAIL_PIXELS: Final = 320
THUMBNAIL_TYPE: Final = "image/webp"
THUMBNAIL_QUALITY: Final = 80
HEADER_PIXELS_MAX: Final = 50_000_000  # a 50-megapixel photograph; its decoder keeps no more than 150 MB
DECODED_PIXELS_MAX: Final = 25_000_000  # 100 MB; JPEGs are decoded at a fraction of their size
FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
ORIENTATION: Final = 0x0112
TURNED: Final = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height


@dataclass(frozen=True, slots=True)
class Picture:
    """Width and height in pixels, as it is shown. `thumbnail` is None when it is too large to decode."""

    width: int
    height: int
    thumbnail: bytes | None


@dataclass(frozen=True, slots=True)
class Broken:
    """Not a picture, though it begins like one."""

    reason: str


def examine(file: BinaryIO) -> Picture | Broken:
    """Look at a whole file."""
    try:
        file.seek(0)
        with Image.open(file, formats=FORMATS) as image:
            return _examined(image)
    except Image.DecompressionBombError:
        return Broken("pixels")
    except Exception as error:
        # Decoders of hostile bytes raise anything; none of it is a fault of ours, and the file is kept as a plain one.
        return Broken(type(error).__name__)


def _examined(image: Image.Image) -> Picture:
    width, height = image.size
    if width * height > HEADER_PIXELS_MAX:
        return Picture(width, height, None)
    if image.getexif().get(ORIENTATION) in TURNED:
        width, height = height, width
    image.draft("RGB", (2 * THUMBNAIL_PIXELS, 2 * THUMBNAIL_PIXELS))
    if image.size[0] * image.size[1] > DECODED_PIXELS_MAX:
        return Picture(width, height, None)
    image.load()
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    turned = ImageOps.exif_transpose(small)
    bare = Image.new(turned.mode, turned.size)
    bare.paste(turned)
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=THUMBNAIL_QUALITY)
    return Picture(width, height, out.getvalue())
