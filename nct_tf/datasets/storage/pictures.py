"""Picture files of any size and mode, decoded."""

import numpy as np
from PIL import Image, ImageOps

_MAX_PIXELS = 2**26
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


class UnreadableError(Exception):
  """A file is not a picture, or not a whole one; the error's text says why."""


def decode(path):
  """Decodes the (first) picture in a file, turned as its EXIF data say.

  Transparency is dropped, palettes and CMYK become RGB, and 16 bits become 8.

  Args:
    path: `pathlib.Path` of a JPEG, PNG, GIF, BMP or WebP file.

  Returns:
    uint8 array [height, width, channels], with 1 or 3 channels.

  Raises:
    UnreadableError: if it cannot be decoded to its end.
  """
  try:
    with Image.open(path) as image:
      _check_size(image)
      return _to_array(ImageOps.exif_transpose(image))
  except UnreadableError:
    raise
  except OSError as error:
    reason = error.strerror or str(error).split("'")[0].strip()
    raise UnreadableError(reason or "cannot be decoded") from error
  except Exception as error:  # Pillow's decoders raise many kinds.
    raise UnreadableError(str(error) or type(error).__name__) from error


def _check_size(image):
  if image.width * image.height > _MAX_PIXELS:
    raise UnreadableError(
      f"{image.width}x{image.height} pixels are more than {_MAX_PIXELS}"
    )


def _to_array(image):
  if image.mode.startswith("I;16"):
    values = np.asarray(image).astype(np.uint16) >> 8
    return values.astype(np.uint8)[..., None]
  if image.mode in _GREY_MODES:
    return np.array(image.convert("L"))[..., None]
  return np.array(image.convert("RGB"))


def to_channels(image, num_channels):
  """Returns a picture with 1 or 3 channels: uint8 [height, width, channels].

  Args:
    image: uint8 array [height, width, 1 or 3].
    num_channels: int, 1 or 3, not fewer than the picture has.
  """
  if image.shape[-1] == num_channels:
    return image
  return np.repeat(image, num_channels, axis=-1)
