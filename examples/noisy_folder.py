r"""Makes a folder of pictures to try the audit on, some of them misplaced.

images/ has a folder for each class, but a random part of the pictures is in the
folder of another class. labels.csv beside images/ tells what each of them
really is.

The pictures are scikit-learn's handwritten digits as PNG files; or pieces of
scikit-image's photographs of textures, of 56 to 109 pixels, which their
brightness does not tell apart; or 2,000 training images of Fashion-MNIST, from
the npz file that docs/data.md tells how to make.

Example:
  python -m examples.noisy_folder --folder=pictures/digits
  python -m examples.noisy_folder --folder=pictures/clothes \
    --pictures=clothes --npz=fashion_mnist.npz --mistakes=asymmetric \
    --wrong_rate=0.3
"""

import csv
from importlib import util
import os
import pathlib

from absl import app, flags
import numpy as np
from PIL import Image
from sklearn import datasets

FOLDER = flags.DEFINE_string(
  "folder", None, "Where to write images/ and labels.csv.", required=True
)
PICTURES = flags.DEFINE_enum(
  "pictures", "digits", ["digits", "textures", "clothes"], "What they show."
)
SIZE = flags.DEFINE_integer(
  "size", None, "Side of the digits in pixels; they have 8.", lower_bound=1
)
NPZ = flags.DEFINE_string("npz", None, "Fashion-MNIST, for clothes.")
WRONG_RATE = flags.DEFINE_float(
  "wrong_rate", 0.2, "Share of pictures to misplace.", 0, 1
)
MISTAKES = flags.DEFINE_enum(
  "mistakes",
  "symmetric",
  ["symmetric", "asymmetric"],
  "To any other class, or (clothes) to the one that looks alike: boot and "
  "sandal to sneaker, pullover to tshirt, coat and dress to shirt.",
)

_CLOTHES = [
  "tshirt",
  "trouser",
  "pullover",
  "dress",
  "coat",
  "sandal",
  "shirt",
  "sneaker",
  "bag",
  "boot",
]
_LOOK_ALIKE = {
  "boot": "sneaker",
  "sandal": "sneaker",
  "pullover": "tshirt",
  "coat": "shirt",
  "dress": "shirt",
}
_NUM_CLOTHES = 2000
_TEXTURES = ("brick", "grass", "gravel", "tissue")
_TEXTURE_FILES = {"tissue": "ihc"}
_PER_TEXTURE = 250


def digits():
  """Returns pictures, their classes (integers), and the names of those."""
  data = datasets.load_digits()
  pictures = np.rint(data.images * (255 / 16)).astype(np.uint8)
  if SIZE.value:
    pictures = [
      np.array(
        Image.fromarray(picture).resize(
          (SIZE.value, SIZE.value), Image.BILINEAR
        )
      )
      for picture in pictures
    ]
  return pictures, data.target, [str(label) for label in range(10)]


def clothes():
  """As `digits`."""
  if NPZ.value is None:
    raise app.UsageError("--pictures=clothes needs --npz")
  with np.load(NPZ.value) as arrays:
    is_train = arrays["split"] == "train"
    images, labels = (arrays[name][is_train] for name in ("images", "labels"))
  chosen = np.random.default_rng(1).permutation(len(images))[:_NUM_CLOTHES]
  names = [
    name.lower().replace("t-shirt/top", "tshirt")
    for name in labels[chosen].tolist()
  ]
  targets = np.array([_CLOTHES.index(name) for name in names])
  return images[chosen], targets, _CLOTHES


def textures():
  """As `digits`."""
  package = util.find_spec("skimage")
  if package is None:
    raise app.UsageError(
      "--pictures=textures needs scikit-image: pip install scikit-image"
    )
  folder = os.path.join(package.submodule_search_locations[0], "data")
  rng = np.random.default_rng(0)
  pictures = []
  for name in _TEXTURES:
    path = os.path.join(folder, f"{_TEXTURE_FILES.get(name, name)}.png")
    with Image.open(path) as image:
      whole = np.array(image.convert("L"))
    pictures += [_cut(whole, rng) for _ in range(_PER_TEXTURE)]
  return pictures, np.repeat(range(len(_TEXTURES)), _PER_TEXTURE), _TEXTURES


def _cut(whole, rng):
  """Returns a random square whose brightness and contrast tell nothing."""
  side = int(rng.integers(56, 110))
  top, left = (rng.integers(0, length - side) for length in whole.shape)
  piece = whole[top : top + side, left : left + side].astype(float)
  piece = (piece - piece.mean()) / (piece.std() + 1e-6)
  piece = piece * rng.uniform(25, 50) + rng.uniform(90, 160)
  return np.clip(piece, 0, 255).astype(np.uint8)


def misplace(labels, names):
  """Returns the classes whose folders the pictures are put into."""
  rng = np.random.default_rng(0)
  wrong = rng.random(len(labels)) < WRONG_RATE.value
  if MISTAKES.value == "symmetric":
    step = rng.integers(1, len(names), len(labels))
    return (labels + wrong * step) % len(names)
  mistaken = [
    names.index(_LOOK_ALIKE.get(name, name)) if name in names else number
    for number, name in enumerate(names)
  ]
  return np.where(wrong, np.array(mistaken)[labels], labels)


def write(folder, pictures, labels, given, names):
  """Writes images/ and labels.csv."""
  rows = []
  for number, (picture, label) in enumerate(zip(pictures, given, strict=True)):
    path = pathlib.Path("images", names[label], f"{number:04d}.png")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / path)
    rows.append((path.as_posix(), names[label], names[labels[number]]))
  with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("path", "label", "clean_label"))
    writer.writerows(rows)


def main(argv):
  if argv[1:]:
    raise app.UsageError(f"takes flags alone. Received: {' '.join(argv[1:])}")
  if MISTAKES.value == "asymmetric" and PICTURES.value != "clothes":
    raise app.UsageError("--mistakes=asymmetric is for --pictures=clothes")
  make = {"digits": digits, "textures": textures, "clothes": clothes}
  pictures, labels, names = make[PICTURES.value]()
  given = misplace(labels, names)
  write(pathlib.Path(FOLDER.value), pictures, labels, given, names)
  print(
    f"{len(given)} pictures, {np.sum(given != labels)} of them misplaced: "
    f"{FOLDER.value}"
  )


if __name__ == "__main__":
  app.run(main)
