"""An index of picture files, so that each is only read anew if it changes."""

import concurrent.futures
import dataclasses
import hashlib
import json
import logging
import os

import tqdm

from nct_tf.datasets.storage import image_cache
from nct_tf.pictures import decoding
from nct_tf.system import files

_logger = logging.getLogger(__name__)

_VERSION = 2  # Of the file's format, and of how pictures are decoded.
_PROGRESS_DELAY_SECONDS = 2


@dataclasses.dataclass(frozen=True)
class Entry:
  """What the index holds of a file.

  Attributes:
    size: int, bytes.
    modified: int, nanoseconds, when its content or its name was last changed.
    height: int, in pixels, of the upright picture; 0 if it cannot be read.
    width: int, likewise.
    channels: int, 1 or 3; 0 if it cannot be read.
    low: int, the lowest value of a pixel, from 0 to 255.
    high: int, the highest.
    digest: str, hexadecimal; equal for equal pixels.
    error: str, why it cannot be read; empty if it can.
  """

  size: int
  modified: int
  height: int = 0
  width: int = 0
  channels: int = 0
  low: int = 0
  high: int = 0
  digest: str = ""
  error: str = ""


def obtain(root, paths, folder):
  """Returns the entries of files; reads only new and changed files.

  Args:
    root: `pathlib.Path`, the folder that paths are relative to.
    paths: list of str.
    folder: `pathlib.Path`, the dataset's folder in the cache; made if need be.

  Returns:
    list of `Entry`, one for each path.

  Raises:
    InvalidInputError: if the cache cannot be written.
  """
  with image_cache.usable(folder), image_cache.lock(folder):
    file = folder / "index.json"
    known = _read(file)
    entries = {path: _stat(root / path) for path in paths}
    stale = [
      path
      for path, entry in entries.items()
      if not entry.error and not _is_same(known.get(path), entry)
    ]
    fresh = dict(zip(stale, _examine(root, stale, entries), strict=True))
    for path, entry in entries.items():
      if not entry.error:
        entries[path] = fresh.get(path) or known[path]
    if entries != known:
      _write(file, entries)
  if stale:
    _logger.info(
      "Index of %d pictures: %d read, %d unchanged",
      len(paths),
      len(stale),
      len(paths) - len(stale),
    )
  return [entries[path] for path in paths]


def _read(file):
  """Returns dict from path to `Entry`; empty if no usable file is there."""
  try:
    content = json.loads(file.read_text(encoding="utf-8"))
    if content["version"] != _VERSION:
      return {}
    return {path: Entry(*values) for path, values in content["files"].items()}
  except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
    return {}


def _write(file, entries):
  content = {
    "version": _VERSION,
    "files": {
      path: dataclasses.astuple(entry) for path, entry in entries.items()
    },
  }
  # A name may hold bytes that are not valid UTF-8; JSON escapes them.
  files.write_atomically(file, json.dumps(content))


def _stat(path):
  try:
    # The name goes into files and pages that other programs read.
    os.fspath(path).encode("utf-8")
    stat = os.stat(path)
  except OSError as error:
    return Entry(0, 0, error=error.strerror)
  except UnicodeEncodeError:
    return Entry(0, 0, error="its name is not valid UTF-8")
  # Two files of one size and one time of content, as they come out of an
  # archive, may have changed names.
  return Entry(stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns))


def _is_same(known, entry):
  return known is not None and (known.size, known.modified) == (
    entry.size,
    entry.modified,
  )


def _examine(root, paths, entries):
  """Reads files on all cores; yields an `Entry` for each."""
  with concurrent.futures.ThreadPoolExecutor(
    len(os.sched_getaffinity(0))
  ) as pool:
    examined = pool.map(
      lambda path: _examine_one(root / path, entries[path]), paths
    )
    yield from tqdm.tqdm(
      examined,
      desc="examining pictures",
      total=len(paths),
      delay=_PROGRESS_DELAY_SECONDS,
    )


def _examine_one(path, entry):
  try:
    image = decoding.decode(path)
  except decoding.UnreadableError as error:
    return dataclasses.replace(entry, error=str(error))
  height, width, channels = image.shape
  digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
  digest.update(image.tobytes())
  return dataclasses.replace(
    entry,
    height=height,
    width=width,
    channels=channels,
    low=int(image.min()),
    high=int(image.max()),
    digest=digest.hexdigest(),
  )
