"""Makes a folder of pictures to try the audit on, a fifth of them misplaced.

The pictures are scikit-learn's handwritten digits as PNG files. images/ has a
folder for each digit, but a random fifth of the pictures is in the folder of
another digit. labels.csv beside images/ tells what each of them really is.

Example:
  python -m examples.noisy_folder --folder=pictures/digits
"""

import csv
import pathlib

from absl import app, flags
import numpy as np
from PIL import Image
from sklearn import datasets

FOLDER = flags.DEFINE_string(
  "folder", None, "Where to write images/ and labels.csv.", required=True
)

_WRONG_RATE = 0.2
_MAX_PIXEL = 16


def main(argv):
  if argv[1:]:
    raise app.UsageError(f"takes flags alone. Received: {' '.join(argv[1:])}")
  folder = pathlib.Path(FOLDER.value)
  digits = datasets.load_digits()
  rng = np.random.default_rng(0)
  wrong = rng.random(len(digits.target)) < _WRONG_RATE
  given = (digits.target + wrong * rng.integers(1, 10, len(wrong))) % 10
  rows = []
  for number, (image, label) in enumerate(
    zip(digits.images, given, strict=True)
  ):
    path = pathlib.Path("images", str(label), f"{number:04d}.png")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    pixels = np.rint(image * (255 / _MAX_PIXEL)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / path)
    rows.append((path.as_posix(), label, digits.target[number]))
  with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("path", "label", "clean_label"))
    writer.writerows(rows)
  print(f"{len(rows)} pictures, {wrong.sum()} of them misplaced: {folder}")


if __name__ == "__main__":
  app.run(main)
