"""Pixels of pictures: from all modes of Pillow's to gray or RGB of 8 bits."""

import io

import numpy as np
from PIL import Image

# Of red, green and blue in gray, times 2**16: those of ITU-R BT.601, as Pillow
# rounds them.
LUMA = (19595, 38470, 7471)

_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")

# Formats whose integers, mode I, are known to have 16 bits.
_FORMATS_OF_16_BITS = ("PNG", "PPM")


def of_image(image, sample_bits):
  """Returns an image's pixels: uint8 array [height, width, 1 or 3].

  Args:
    image: an image of Pillow's, loaded.
    sample_bits: int, the bits of a sample in its file; only those of a PNG
      have to be known, others count as 8.

  Raises:
    ValueError: if its pixels are numbers without a range.
  """
  if image.mode in _ALPHA_MODES or image.mode == "P":
    return _of_alpha_or_palette(image)
  if image.mode[0] in "IF":
    samples = _samples_of_16_bits(image)
    colors = (samples >> 8).astype(np.uint8)
  else:
    is_gray = image.mode in ("1", "L")
    colors = np.array(image.convert("L" if is_gray else "RGB"))
    colors = samples = colors.reshape(*colors.shape[:2], -1)
  key = image.info.get("transparency")
  if key is None:
    return colors
  is_key = samples == _scale_key(np.array(key), sample_bits, samples.dtype)
  alpha = np.where(is_key.all(-1, keepdims=True), 0, 255)
  return lay_on_white(colors, alpha.astype(np.uint8))


def has_transparency(image):
  """Returns whether an image of Pillow's may have transparent pixels."""
  return (
    image.mode in _ALPHA_MODES
    or "transparency" in image.info
    or (image.mode == "P" and image.palette.mode.endswith("A"))
  )


def _of_alpha_or_palette(image):
  if not has_transparency(image):
    return np.array(image.convert("RGB"))
  values = np.array(image.convert("LA" if image.mode[0] == "L" else "RGBA"))
  return lay_on_white(values[..., :-1], values[..., -1:])


def _samples_of_16_bits(image):
  """Returns the samples of a gray image: uint16 [height, width, 1]."""
  if not (
    image.mode.startswith("I;16")
    or (image.mode == "I" and image.format in _FORMATS_OF_16_BITS)
  ):
    raise ValueError(
      "has pixels of 32 bits, whose range it does not declare; save it with 8 "
      "or 16 bits"
    )
  return np.asarray(image).astype(np.uint16)[..., None]


def _scale_key(key, sample_bits, dtype):
  """Returns the transparent color on the scale of an image's samples.

  A PNG has it on the scale of the file. Some versions of Pillow scale that of
  a bit themselves.
  """
  if dtype == np.uint16:
    return key
  if sample_bits == 16:
    return key >> 8
  return np.where(
    key < 2**sample_bits, key * (255 // (2**sample_bits - 1)), key
  )


def lay_on_white(colors, alpha):
  """Returns colors as they look on white: uint8 [height, width, channels].

  Args:
    colors: uint8 array [height, width, channels].
    alpha: uint8 array [height, width, 1], 0 where a color is not seen.
  """
  if alpha.min() == 255:
    return colors
  alpha = alpha.astype(np.uint16)
  mixed = colors * alpha  # A large picture does not fit into memory often.
  mixed += 255 * (255 - alpha) + 127
  mixed //= 255
  return mixed.astype(np.uint8)


def to_channels(image, num_channels):
  """Returns a picture with 1 or 3 channels: uint8 [height, width, channels].

  Args:
    image: uint8 array [height, width, 1 or 3].
    num_channels: int, 1 or 3.
  """
  if image.shape[-1] == num_channels:
    return image
  if num_channels == 3:
    return np.repeat(image, 3, axis=-1)
  gray = image.astype(np.uint32) @ np.array(LUMA, np.uint32) + 2**15
  return (gray >> 16).astype(np.uint8)[..., None]


def to_png(image):
  """Returns the bytes of a PNG of a picture, made fast rather than small.

  Args:
    image: uint8 array [height, width, 1 or 3].
  """
  file = io.BytesIO()
  values = image[..., 0] if image.shape[-1] == 1 else image
  Image.fromarray(values).save(file, "PNG", compress_level=1)
  return file.getvalue()
