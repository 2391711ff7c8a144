import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors, noise_matrix

_MATRIX = np.array([[0.8, 0.2, 0], [0.1, 0.9, 0], [0.25, 0.25, 0.5]])


class ReadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def write(self, content):
    path = self.folder / "t"
    if isinstance(content, bytes):
      path.write_bytes(content)
    elif isinstance(content, str):
      path.write_text(content)
    else:
      with open(path, "wb") as file:
        np.save(file, content)
    return str(path)

  @parameterized.named_parameters(
    ("float64", _MATRIX),
    ("float32", _MATRIX.astype(np.float32)),
    ("commas", "0.8,0.2,0\n.1,.9,0\n0.25, 0.25, 5e-1\n"),
    ("semicolons", "\ufeff0.8;0.2;0\r\n.1;.9;0\r\n\r\n.25;.25;.5"),
    ("blanks", " 0.8 0.2 0\n0.1\t0.9 0\n0.25  0.25 0.5 \n"),
  )
  def test_forms(self, content):
    matrix = noise_matrix.read(self.write(content), 3)
    np.testing.assert_allclose(matrix, _MATRIX, atol=1e-7)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-15)

  def test_a_millionth_is_made_up_for(self):
    third = "0.3333333,0.3333333,0.3333333\n"
    matrix = noise_matrix.read(self.write(3 * third), 3)
    np.testing.assert_allclose(matrix, 1 / 3, rtol=1e-15)

  @parameterized.named_parameters(
    ("two_classes", np.eye(2), r"hold 3 x 3 numbers.*float64 \[2, 2\]"),
    ("not_square", np.ones((3, 2)) / 2, r"3 x 3 .*\[3, 2\]"),
    ("flat", np.ones(3), r"\[3\]"),
    ("nothing", "", r"\[0\]"),
    ("texts", np.array([["a"] * 3] * 3), "<U1"),
    ("objects", np.array([[{}] * 3] * 3), "cannot be read"),
    ("bool", np.eye(3, dtype=bool), "bool"),
    (
      "negative",
      "1,0,0\n-.1,1.1,0\n0,0,1",
      r"row 2, must hold probabilities, in \[0, 1\]. Received: -0.1$",
    ),
    ("nan", "1,0,0\n0,1,0\n0,nan,1", "row 3, .* Received: nan$"),
    ("counts", "9,1,0\n0,1,0\n0,0,1", "row 1, .* Received: 9$"),
    (
      "rounded",
      "1,0,0\n.333,.333,.333\n0,0,1",
      "row 2, must sum to 1.*a sum of 0.999$",
    ),
    ("names", "a,b,c\n1,0,0\n0,1,0", "row 1, .*numbers alone.*'a,b,c'"),
    ("ragged", "1,0,0\n0,1\n0,0,1", "row 2, .*first, 3. Received: 2$"),
    ("archive", b"PK\x03\x04\xff", "must be a .npy file, or numbers"),
    ("half", b"\x93NUMPY\x01\x00", "cannot be read"),
  )
  def test_refuses(self, content, message):
    path = self.write(content)
    with self.assertRaisesRegex(errors.InvalidInputError, message) as caught:
      noise_matrix.read(path, 3)
    self.assertStartsWith(
      str(caught.exception), f"Argument `noise_matrix`={path}"
    )
    self.assertNotIn("\n", str(caught.exception))

  def test_refuses_what_is_not_there(self):
    for path in (f"{self.folder}/none.npy", str(self.folder)):
      with self.assertRaisesRegex(
        errors.InvalidInputError, f"{path} cannot be read: .*must be a .npy"
      ):
        noise_matrix.read(path)


class NominalRateTest(absltest.TestCase):
  def test_counts_the_classes(self):
    self.assertAlmostEqual(
      noise_matrix.nominal_rate(_MATRIX, np.array([0, 0, 1, 2])),
      (0.2 + 0.2 + 0.1 + 0.5) / 4,
    )


if __name__ == "__main__":
  absltest.main()
