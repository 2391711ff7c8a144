from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image

from nct_tf.pictures import decoding, pixels
from tests.support import pictures


class PixelsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("LA", 1), ("La", 1), ("RGBA", 3), ("RGBa", 3), ("PA", 3)
  )
  def test_modes_with_alpha(self, mode, num_channels):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (51, 51, 51, 255))
    # Not every mode can be made of every other one.
    for step in {"La": ("LA",), "PA": ("P",)}.get(mode, ()):
      image = image.convert(step)
    image = image.convert(mode)
    if mode == "PA":
      image.putalpha(Image.fromarray(np.uint8([[0, 255]])))
    self.assertEqual(
      pixels.of_image(image, 8).tolist(),
      [[[255] * num_channels, [51] * num_channels]],
    )

  @parameterized.parameters("CMYK", "YCbCr", "HSV", "RGBX")
  def test_modes_of_color(self, mode):
    image = Image.new("RGB", (2, 1), (200, 0, 0)).convert(mode)
    of_image = pixels.of_image(image, 8)
    self.assertEqual(of_image.shape, (1, 2, 3))
    np.testing.assert_allclose(of_image[0, 1], [200, 0, 0], atol=3)

  def test_gray_of_colors(self):
    colors = np.array(
      [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255] * 3, [10, 20, 30]]],
      np.uint8,
    )
    gray = pixels.to_channels(colors, 1)
    self.assertEqual(gray.dtype, np.uint8)
    self.assertEqual(gray[..., 0].tolist(), [[76, 150, 29, 255, 18]])

  def test_gray_is_that_of_pillow(self):
    image = pictures.noise(50, 40)
    np.testing.assert_array_equal(
      pixels.to_channels(image, 1)[..., 0],
      np.asarray(Image.fromarray(image).convert("L")),
    )

  def test_grays_are_themselves(self):
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    colors = pixels.to_channels(gray, 3)
    np.testing.assert_array_equal(colors, np.concatenate([gray] * 3, -1))
    np.testing.assert_array_equal(pixels.to_channels(colors, 1), gray)
    self.assertIs(pixels.to_channels(gray, 1), gray)

  def test_lay_on_white_is_rounded(self):
    alpha, colors = np.mgrid[:256, :256].astype(np.uint8)[..., None]
    exact = (
      colors.astype(float) * alpha + 255.0 * (255 - alpha.astype(float))
    ) / 255
    laid = pixels.lay_on_white(colors, alpha)
    self.assertLessEqual(np.abs(laid - exact).max(), 0.5)

  @parameterized.parameters((5, 7, 3), (5, 7, 1), (1, 1, 3))
  def test_a_png_of_pixels_holds_them(self, *shape):
    image = pictures.noise(*shape)
    contents = pixels.to_png(image)
    np.testing.assert_array_equal(decoding.decode_bytes(contents), image)
    self.assertTrue(decoding.is_plain(contents))


if __name__ == "__main__":
  absltest.main()
