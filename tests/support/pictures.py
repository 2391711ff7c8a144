"""Encoded pictures, good ones and bad ones."""

import struct
import zlib

import numpy as np
import tensorflow as tf


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


def huge_png(side=20_000, first_chunk=False):
  """Returns a black PNG of a bit a pixel: small as a file, not as an image.

  Args:
    side: int, its width and height in pixels.
    first_chunk: bool, whether the header comes second, where decoders that
      are lenient find it, after a chunk that looks like that of a tiny image.
  """

  def chunk(kind, data):
    body = kind + data
    checksum = struct.pack(">I", zlib.crc32(body))
    return struct.pack(">I", len(data)) + body + checksum

  header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
  rows = bytes(side * (1 + (side + 7) // 8))
  tiny = chunk(b"teSt", struct.pack(">II", 1, 1)) if first_chunk else b""
  return (
    b"\x89PNG\r\n\x1a\n"
    + tiny
    + chunk(b"IHDR", header)
    + chunk(b"IDAT", zlib.compress(rows, 1))
    + chunk(b"IEND", b"")
  )


def example(contents, feature="image/encoded"):
  """Returns a serialized `tf.Example` of an encoded picture."""
  value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[contents]))
  return tf.train.Example(
    features=tf.train.Features(feature={feature: value})
  ).SerializeToString()
