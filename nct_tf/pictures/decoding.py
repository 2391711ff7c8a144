"""Picture files of any size and mode, decoded."""

import contextlib
import io

import numpy as np
from PIL import Image

from nct_tf.pictures import pixels

# The largest picture: 8192 x 8192. A larger one could use up the memory.
MAX_PIXELS = 2**26
_MAX_BYTES = 2**28

_ORIENTATION = 0x0112  # Of EXIF data.
# From an orientation to the function that undoes it. Others need none.
_TURNS = {
  2: np.fliplr,
  3: lambda image: np.rot90(image, 2),
  4: np.flipud,
  5: lambda image: np.rot90(np.fliplr(image), 1),
  6: lambda image: np.rot90(image, -1),
  7: lambda image: np.rot90(np.fliplr(image), -1),
  8: lambda image: np.rot90(image, 1),
}

# How a PNG begins that has its header first, as it must; then come its width
# and height, and then the bits of a sample.
_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_BITS = 24


class UnreadableError(Exception):
  """A file is not a picture, or not a whole one; the error's text says why."""


def read(path):
  """Returns the bytes of a picture file.

  Args:
    path: str or `pathlib.Path`.

  Raises:
    UnreadableError: if it cannot be read, or is too large for a picture.
  """
  try:
    with open(path, "rb") as file:
      contents = file.read(_MAX_BYTES + 1)
  except (OSError, ValueError) as error:  # A name may hold a zero byte.
    reason = getattr(error, "strerror", None) or str(error)
    raise UnreadableError(reason) from error
  if len(contents) > _MAX_BYTES:
    raise UnreadableError(f"has more than {_MAX_BYTES} bytes")
  return contents


def decode(path):
  """Decodes a file, see `decode_bytes`, `path` being a str or a Path."""
  return decode_bytes(read(path))


def decode_bytes(contents):
  """Decodes the (first) picture of a file, turned as its EXIF data say.

  Transparency is laid on white. Palettes, CMYK and the like become RGB. Of 16
  bits, the upper 8 are kept.

  Args:
    contents: bytes, of a JPEG, PNG, GIF, BMP or WebP file, or of whatever else
      Pillow reads.

  Returns:
    uint8 array [height, width, channels], with 1 or 3 channels.

  Raises:
    UnreadableError: if it cannot be decoded to its end, has more than
      `MAX_PIXELS`, or numbers for pixels whose range the file does not declare.
  """
  with _open(contents) as image:
    image.load()
    turn = _TURNS.get(_orientation(image), np.asarray)
    bits = contents[_PNG_BITS] if contents.startswith(_PNG_START) else 8
    return np.ascontiguousarray(turn(pixels.of_image(image, bits)))


def is_plain(contents):
  """Returns whether any reader of JPEG and PNG sees the right pixels.

  That is so where nothing has to be turned, laid on white or scaled. A file
  whose damage begins after its header may count as plain, too.

  Args:
    contents: bytes of a file.

  Raises:
    UnreadableError: if it is no picture, or has more than `MAX_PIXELS`.
  """
  with _open(contents) as image:
    if image.mode not in ("L", "RGB") or pixels.has_transparency(image):
      return False
    if image.format == "PNG":
      is_known = contents.startswith(_PNG_START) and contents[_PNG_BITS] == 8
      is_known = is_known and not getattr(image, "is_animated", False)
    else:
      is_known = image.format == "JPEG"
    return is_known and _orientation(image) not in _TURNS


@contextlib.contextmanager
def _open(contents):
  """Opens an image of Pillow's, whose errors become `UnreadableError`."""
  too_large = f"has more than {MAX_PIXELS} pixels"
  try:
    with Image.open(io.BytesIO(contents)) as image:
      if image.width * image.height > MAX_PIXELS:
        raise UnreadableError(too_large)
      yield image
  except UnreadableError:
    raise
  except Image.UnidentifiedImageError as error:
    raise UnreadableError("cannot identify image file") from error
  except Image.DecompressionBombError as error:
    raise UnreadableError(too_large) from error
  except Exception as error:  # Pillow's decoders raise many kinds.
    raise UnreadableError(str(error) or type(error).__name__) from error


def _orientation(image):
  """Returns the orientation in an image's EXIF data, or None."""
  try:
    return image.getexif().get(_ORIENTATION)
  except Exception:  # Damaged EXIF data say nothing; the pixels may be whole.
    return None
