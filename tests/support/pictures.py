"""Encoded pictures, good ones and bad ones."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
import tensorflow as tf

# The passes of an interlaced PNG: first row and column, and the steps.
_ADAM7 = (
  (0, 0, 8, 8),
  (0, 4, 8, 8),
  (4, 0, 8, 4),
  (0, 2, 4, 4),
  (2, 0, 4, 2),
  (0, 1, 2, 2),
  (1, 0, 2, 1),
)


def noise(height, width, channels=3, seed=0):
  """Returns uint8 [height, width, channels]."""
  rng = np.random.default_rng(seed)
  return rng.integers(256, size=(height, width, channels), dtype=np.uint8)


def png(*shape, seed=0):
  """Returns a random picture as a PNG."""
  return tf.io.encode_png(noise(*shape, seed=seed)).numpy()


def jpeg(*shape, seed=0):
  """Returns a random picture as a JPEG."""
  return tf.io.encode_jpeg(noise(*shape, seed=seed)).numpy()


def png_chunk(kind, data):
  """Returns a chunk of a PNG, both arguments being bytes."""
  checksum = struct.pack(">I", zlib.crc32(kind + data))
  return struct.pack(">I", len(data)) + kind + data + checksum


def _png_of_rows(header, rows, before=b"", after=b""):
  """Returns a PNG; `header` is what IHDR holds but for two zeros in it."""
  *head, interlaced = header
  header = struct.pack(">IIBBBBB", *head, 0, 0, interlaced)
  return (
    b"\x89PNG\r\n\x1a\n"
    + before
    + png_chunk(b"IHDR", header)
    + after
    + png_chunk(b"IDAT", zlib.compress(rows, 1))
    + png_chunk(b"IEND", b"")
  )


def raw_png(
  samples, bits, color_type, palette=None, transparency=None, interlaced=False
):
  """Returns a PNG of given samples, which no library has changed.

  Args:
    samples: int array [height, width, samples of a pixel].
    bits: int, of a sample: 1, 2, 4, 8 or 16.
    color_type: int: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.
    palette: sequence of triples of int; None for none.
    transparency: sequence of int: the alpha of the palette's colors, or the
      color that is transparent; None for none.
    interlaced: bool.
  """
  height, width, _ = samples.shape
  rows = b""
  for y, x, dy, dx in _ADAM7 if interlaced else [(0, 0, 1, 1)]:
    for row in samples[y::dy, x::dx]:
      digits = "".join(f"{value:0{bits}b}" for value in row.ravel().tolist())
      digits += "0" * (-len(digits) % 8)
      rows += b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")
  chunks = b""
  if palette is not None:
    chunks += png_chunk(b"PLTE", bytes(np.array(palette, np.uint8)))
  if transparency is not None:
    kind = np.uint8 if color_type == 3 else ">u2"
    chunks += png_chunk(b"tRNS", np.array(transparency, kind).tobytes())
  header = (width, height, bits, color_type, int(interlaced))
  return _png_of_rows(header, rows, after=chunks)


def huge_png(side=20_000, first_chunk=False):
  """Returns a black PNG of a bit a pixel: small as a file, not as an image.

  Args:
    side: int, its width and height in pixels.
    first_chunk: bool, whether the header comes second, where decoders that
      are lenient find it, after a chunk that looks like that of a tiny image.
  """
  rows = bytes(side * (1 + (side + 7) // 8))
  tiny = png_chunk(b"teSt", struct.pack(">II", 1, 1)) if first_chunk else b""
  return _png_of_rows((side, side, 1, 0, 0), rows, before=tiny)


def encode(image, form="PNG", **options):
  """Returns the file of an image of Pillow's, or of an array, as bytes."""
  if isinstance(image, np.ndarray):
    image = Image.fromarray(image)
  file = io.BytesIO()
  image.save(file, form, **options)
  return file.getvalue()


def exif(orientation):
  """Returns EXIF data that say how a picture is to be turned, from 1 to 8."""
  data = Image.Exif()
  data[0x0112] = orientation
  return data


def smooth(height, width, channels=3, seed=0):
  """Returns uint8 [height, width, channels], of large spots."""
  spots = Image.fromarray(noise(3, 4, 4, seed=seed), "RGBA")
  image = np.asarray(spots.resize((width, height), Image.Resampling.BICUBIC))
  return np.ascontiguousarray(image[..., :channels])


def plain_kinds():
  """Returns files that any decoder of JPEG and PNG reads alike.

  Returns:
    dict from a name to the bytes of a file.
  """
  color, gray = smooth(23, 37), smooth(23, 37, 1)[..., 0]
  return {
    "baseline.jpg": encode(color, "JPEG", quality=90),
    "progressive.jpg": encode(color, "JPEG", progressive=True),
    "sharp_420.jpg": encode(noise(23, 37), "JPEG", subsampling=2),
    "sharp_422.jpg": encode(noise(23, 37), "JPEG", subsampling=1),
    "sharp_444.jpg": encode(noise(23, 37), "JPEG", subsampling=0),
    "gray.jpg": encode(gray, "JPEG"),
    "upright.jpg": encode(color, "JPEG", exif=exif(1)),
    "rgb.png": encode(color),
    "gray.png": encode(gray),
  }


def decodable_kinds():
  """Returns PNGs that decoders of PNG alone read as they should.

  Returns:
    dict from a name to the bytes of a file.
  """
  rng = np.random.default_rng(0)
  palette = rng.integers(256, size=(16, 3))
  kinds = {
    "rgba.png": encode(smooth(21, 15, 4)),
    "la.png": encode(Image.fromarray(smooth(21, 15, 4), "RGBA").convert("LA")),
    "interlaced.png": raw_png(smooth(21, 15), 8, 2, interlaced=True),
  }
  for bits in (1, 2, 4, 8, 16):
    samples = rng.integers(2**bits, size=(9, 13, 1))
    kinds[f"gray_{bits}.png"] = raw_png(samples, bits, 0)
    kinds[f"gray_{bits}_key.png"] = raw_png(
      samples, bits, 0, transparency=samples[4, 4]
    )
    if bits <= 4:
      kinds[f"palette_{bits}.png"] = raw_png(
        samples, bits, 3, palette[: 2**bits]
      )
      kinds[f"palette_{bits}_alpha.png"] = raw_png(
        samples, bits, 3, palette[: 2**bits], rng.integers(256, size=2)
      )
  for color_type, num_samples in ((2, 3), (4, 2), (6, 4)):
    samples = rng.integers(2**16, size=(9, 13, num_samples))
    kinds[f"16_bits_{color_type}.png"] = raw_png(samples, 16, color_type)
  samples = rng.integers(256, size=(9, 13, 3))
  kinds["rgb_key.png"] = raw_png(samples, 8, 2, transparency=samples[4, 4])
  return kinds


def other_kinds():
  """Returns files that a decoder of JPEG and PNG cannot read, or reads wrongly.

  Returns:
    dict from a name to the bytes of a file.
  """
  color = smooth(20, 30)
  image = Image.fromarray(color)
  transparent = Image.fromarray(smooth(20, 30, 4), "RGBA")
  frames = {"save_all": True, "append_images": [image.rotate(180)]}
  cut = image.quantize(8)
  return {
    "rgb.bmp": encode(image, "BMP"),
    "palette.gif": encode(image, "GIF"),
    "transparent.gif": encode(cut, "GIF", transparency=3),
    "animated.gif": encode(image, "GIF", **frames),
    "rgb.webp": encode(image, "WEBP"),
    "rgba.webp": encode(transparent, "WEBP", lossless=True),
    "animated.webp": encode(image, "WEBP", **frames),
    "animated.png": encode(image, "PNG", **frames),
    "cmyk.jpg": encode(image.convert("CMYK"), "JPEG"),
    "turned.webp": encode(image, "WEBP", exif=exif(6)),
    "turned.png": encode(image, "PNG", exif=exif(8)),
    **{
      f"turned_{number}.jpg": encode(image, "JPEG", exif=exif(number))
      for number in range(2, 9)
    },
  }


def example(contents, feature="image/encoded"):
  """Returns a serialized `tf.Example` of an encoded picture."""
  value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[contents]))
  return tf.train.Example(
    features=tf.train.Features(feature={feature: value})
  ).SerializeToString()
