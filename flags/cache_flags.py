"""Where images are kept while a run needs them."""

from absl import flags

CACHE = flags.DEFINE_enum(
  "cache",
  None,
  ["memory", "disk", "none"],
  "Where decoded images are kept: in memory; on disk, in --cache_dir; or "
  "nowhere, which decodes each image whenever it is needed. Chosen by their "
  "size if not given. Results are the same.",
)
CACHE_DIR = flags.DEFINE_string(
  "cache_dir",
  None,
  "Folder of decoded images and of indices, which may be deleted when no run "
  "uses it; $XDG_CACHE_HOME/nct_tf or ~/.cache/nct_tf if not given.",
)
