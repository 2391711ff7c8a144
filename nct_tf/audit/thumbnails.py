"""Small pictures of examples."""

import numpy as np
from PIL import Image
import tqdm

_FOLDER = "thumbnails"
_MAX_SIDE = 192
_PROGRESS_DELAY_SECONDS = 2


def write(folder, dataset, splits, numbers):
  """Writes a picture of each example, at most 192 pixels high and wide.

  One's own pictures are made of their files, others of what is trained on.

  Args:
    folder: `pathlib.Path`, in which a folder `thumbnails` is made.
    dataset: an `ImageDataset`.
    splits: str array [num_pictures], `train`, `validation` or `test`.
    numbers: integer array [num_pictures], each one's number in its split.

  Returns:
    list of str, their paths below `folder`.
  """
  (folder / _FOLDER).mkdir()
  paths = []
  for number, (split, row) in enumerate(
    tqdm.tqdm(
      list(zip(splits, numbers, strict=True)),
      desc="thumbnails",
      delay=_PROGRESS_DELAY_SECONDS,
    )
  ):
    pixels = dataset.picture(row, split)
    # Few pixels are kept exactly, many are compressed.
    suffix = "png" if max(pixels.shape[:2]) <= 64 else "jpg"
    paths.append(f"{_FOLDER}/{number:05d}.{suffix}")
    image = _to_image(pixels)
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    image.save(folder / paths[-1])
  return paths


def _to_image(pixels):
  """Returns a `PIL.Image` of uint8 pixels [height, width, channels]."""
  if pixels.shape[-1] == 3:
    return Image.fromarray(pixels)
  # One channel is grey; of others, the first one is shown.
  return Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
