"""What the pixels of a picture file are, whatever its format and mode."""

import os
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image, ImageOps

from nct_tf.pictures import decoding
from tests.support import pictures

_PALETTE = [(0, 0, 0), (10, 20, 30), (200, 100, 0)]


def row(*samples):
  """Returns an image of one row of pixels, each a tuple of samples."""
  return np.array([samples], int)


class DecodeTest(parameterized.TestCase):
  def decode(self, image, form="PNG", **options):
    return decoding.decode_bytes(pictures.encode(image, form, **options))

  def test_the_bytes_and_the_file(self):
    image = pictures.noise(5, 7)
    folder = self.enter_context(tempfile.TemporaryDirectory())
    path = pathlib.Path(folder, "any.name")
    path.write_bytes(pictures.encode(image))
    np.testing.assert_array_equal(decoding.decode(path), image)
    np.testing.assert_array_equal(decoding.decode(str(path)), image)

  def test_gray_and_palette(self):
    gray = np.array([[0, 128], [200, 255]], np.uint8)
    np.testing.assert_array_equal(self.decode(gray)[..., 0], gray)
    bilevel = Image.fromarray(gray > 100)
    np.testing.assert_array_equal(
      self.decode(bilevel)[..., 0], 255 * np.uint8(gray > 100)
    )
    contents = pictures.raw_png(row([2], [0], [1]), 2, 3, _PALETTE)
    self.assertEqual(
      decoding.decode_bytes(contents).tolist(),
      [[[200, 100, 0], [0, 0, 0], [10, 20, 30]]],
    )

  @parameterized.parameters("JPEG", "PNG", "BMP", "WEBP", "GIF")
  def test_formats(self, form):
    image = pictures.smooth(30, 40)
    options = {} if form == "GIF" else {"quality": 95}
    decoded = self.decode(Image.fromarray(image), form, **options).astype(int)
    self.assertEqual(decoded.shape, (30, 40, 3))
    self.assertLess(np.abs(decoded - image).mean(), 6)

  def test_cmyk(self):
    decoded = self.decode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    np.testing.assert_allclose(decoded[4, 4], [255, 0, 0], atol=6)

  @parameterized.parameters("GIF", "PNG", "WEBP")
  def test_the_first_frame(self, form):
    first, second = (Image.new("RGB", (4, 4), name) for name in ("red", "blue"))
    options = {"save_all": True, "append_images": [second]}
    if form == "WEBP":
      options["lossless"] = True
    decoded = self.decode(first, form, **options)
    np.testing.assert_array_equal(decoded, np.tile([255, 0, 0], (4, 4, 1)))


class OrientationTest(parameterized.TestCase):
  @parameterized.parameters(
    (1, [[1, 2, 3], [4, 5, 6]]),
    (2, [[3, 2, 1], [6, 5, 4]]),
    (3, [[6, 5, 4], [3, 2, 1]]),
    (4, [[4, 5, 6], [1, 2, 3]]),
    (5, [[1, 4], [2, 5], [3, 6]]),
    (6, [[4, 1], [5, 2], [6, 3]]),
    (7, [[6, 3], [5, 2], [4, 1]]),
    (8, [[3, 6], [2, 5], [1, 4]]),
    (9, [[1, 2, 3], [4, 5, 6]]),
  )
  def test_it_is_undone(self, orientation, expected):
    stored = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    contents = pictures.encode(stored, exif=pictures.exif(orientation))
    decoded = decoding.decode_bytes(contents)
    self.assertEqual(decoded[..., 0].tolist(), expected)

  @parameterized.product(
    form=("JPEG", "PNG", "WEBP", "TIFF"), orientation=tuple(range(1, 9))
  )
  def test_formats(self, form, orientation):
    contents = pictures.encode(
      pictures.smooth(8, 24), form, exif=pictures.exif(orientation)
    )
    folder = self.enter_context(tempfile.TemporaryDirectory())
    path = pathlib.Path(folder, "x")
    path.write_bytes(contents)
    with Image.open(path) as image:
      expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decoding.decode(path), expected)

  @parameterized.parameters(
    b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"
  )
  def test_damaged_exif_data_say_nothing(self, exif):
    image = pictures.smooth(8, 24)
    decoded = decoding.decode_bytes(pictures.encode(image, "JPEG", exif=exif))
    plain = decoding.decode_bytes(pictures.encode(image, "JPEG"))
    np.testing.assert_array_equal(decoded, plain)


class TransparencyTest(parameterized.TestCase):
  def assert_pixels(self, contents, expected):
    self.assertEqual(decoding.decode_bytes(contents).tolist(), [expected])

  @parameterized.parameters(8, 16)
  def test_colors_are_laid_on_white(self, bits):
    scale = 1 if bits == 8 else 257
    samples = row(
      (0, 0, 0, 0), (0, 0, 0, 255), (10, 20, 30, 128), (255, 255, 255, 7)
    )
    self.assert_pixels(
      pictures.raw_png(samples * scale, bits, 6),
      [[255] * 3, [0] * 3, [132, 137, 142], [255] * 3],
    )

  def test_gray_stays_gray(self):
    samples = row((0, 0), (0, 255), (10, 128))
    self.assert_pixels(pictures.raw_png(samples, 8, 4), [[255], [0], [132]])
    self.assert_pixels(
      pictures.raw_png(samples * 257, 16, 4), [[255] * 3, [0] * 3, [132] * 3]
    )

  def test_a_palette_with_alpha(self):
    self.assert_pixels(
      pictures.raw_png(row([0], [1], [2]), 2, 3, _PALETTE, [0, 128]),
      [[255] * 3, [132, 137, 142], [200, 100, 0]],
    )

  @parameterized.parameters((1, 255), (2, 85), (4, 17), (8, 1), (16, 0))
  def test_a_transparent_gray(self, bits, one):
    samples = row([0], [1], [2**bits - 1])
    self.assert_pixels(
      pictures.raw_png(samples, bits, 0, transparency=[1]), [[0], [255], [255]]
    )
    self.assert_pixels(
      pictures.raw_png(samples, bits, 0, transparency=[0]),
      [[255], [one], [255]],
    )

  @parameterized.parameters(8, 16)
  def test_a_transparent_color(self, bits):
    samples = row((1, 2, 3), (1, 2, 4)) * (1 if bits == 8 else 257)
    self.assert_pixels(
      pictures.raw_png(samples, bits, 2, transparency=samples[0, 1]),
      [[1, 2, 3], [255] * 3],
    )

  def test_gif_and_webp(self):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((1, 0), 1)
    self.assert_pixels(
      pictures.encode(image, "GIF", transparency=1), [[10, 20, 30], [255] * 3]
    )
    image = Image.fromarray(np.uint8(row((9, 9, 9, 0), (10, 20, 30, 128))))
    self.assert_pixels(
      pictures.encode(image, "WEBP", lossless=True, exact=True),
      [[255] * 3, [132, 137, 142]],
    )

  def test_icons_that_differ_in_alpha_alone_differ(self):
    shapes = [pictures.noise(8, 8, 1, seed=seed) for seed in range(3)]
    black = np.zeros((8, 8, 3), np.uint8)
    decoded = [
      decoding.decode_bytes(pictures.encode(np.concatenate([black, shape], -1)))
      for shape in shapes
    ]
    for image, shape in zip(decoded, shapes, strict=True):
      np.testing.assert_array_equal(image, np.repeat(255 - shape, 3, -1))


class DepthTest(parameterized.TestCase):
  @parameterized.parameters((0, 1), (2, 3))
  def test_the_upper_half_of_16_bits(self, color_type, num_samples):
    samples = np.array([0x1234, 0xFFFF, 0x00FF, 0x8000, 0x7FFF, 0x0100])
    samples = samples.reshape(1, -1, num_samples)
    decoded = decoding.decode_bytes(pictures.raw_png(samples, 16, color_type))
    self.assertEqual(
      decoded.ravel().tolist(), [0x12, 0xFF, 0x00, 0x80, 0x7F, 0x01]
    )

  @parameterized.parameters((65535, [0, 128, 255]), (1023, [0, 127, 255]))
  def test_the_range_that_a_file_declares(self, high, expected):
    samples = np.array([0, (high + 1) // 2 - (high < 65535), high], ">u2")
    contents = b"P5 3 1 %d\n" % high + samples.tobytes()
    self.assertEqual(decoding.decode_bytes(contents).ravel().tolist(), expected)

  @parameterized.parameters(np.int32, np.float32)
  def test_numbers_without_a_range(self, dtype):
    contents = pictures.encode(np.ones((4, 4), dtype), "TIFF")
    with self.assertRaisesRegex(
      decoding.UnreadableError, "32 bits, whose range it does not declare"
    ):
      decoding.decode_bytes(contents)


class UnreadableTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("text", b"text", "^cannot identify image file$"),
    ("nothing", b"", "^cannot identify image file$"),
    ("cut_jpeg", pictures.jpeg(60, 60)[:-300], "truncated"),
    ("cut_png", pictures.png(60, 60)[:-300], "truncated"),
    ("cut_bmp", pictures.encode(pictures.noise(9, 9), "BMP")[:-9], "truncated"),
    ("large", pictures.huge_png(9_000), "^has more than 67108864 pixels$"),
    ("huge", pictures.huge_png(20_000), "^has more than 67108864 pixels$"),
  )
  def test_contents(self, contents, reason):
    with self.assertRaisesRegex(decoding.UnreadableError, reason):
      decoding.decode_bytes(contents)

  def test_files(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    large = os.path.join(folder, "large")
    pathlib.Path(large).touch()
    os.truncate(large, 2**30)
    for path, reason in (
      (os.path.join(folder, "missing"), "^No such file or directory$"),
      (folder, "^Is a directory$"),
      (large, "^has more than 268435456 bytes$"),
      ("zero\0byte", "null byte"),
    ):
      with self.assertRaisesRegex(decoding.UnreadableError, reason):
        decoding.decode(path)


class IsPlainTest(absltest.TestCase):
  def test_what_any_decoder_of_jpeg_and_png_reads(self):
    for name, contents in pictures.plain_kinds().items():
      self.assertTrue(decoding.is_plain(contents), name)

  def test_what_has_to_be_decoded(self):
    kinds = {**pictures.decodable_kinds(), **pictures.other_kinds()}
    eight_bits = ("gray_8.png", "interlaced.png")
    for name, contents in kinds.items():
      self.assertEqual(decoding.is_plain(contents), name in eight_bits, name)

  def test_no_picture(self):
    with self.assertRaises(decoding.UnreadableError):
      decoding.is_plain(b"text")
    with self.assertRaises(decoding.UnreadableError):
      decoding.is_plain(pictures.huge_png(20_000))


if __name__ == "__main__":
  absltest.main()
