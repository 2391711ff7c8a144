"""How a SavedModel is published, and what it offers."""

from absl import flags

KEEP = flags.DEFINE_integer(
  "keep",
  None,
  "How many versions stay, at least 1: the new one and the highest of the "
  "others; what is older is removed when the new one stands. All if not given.",
  lower_bound=1,
)
MEMBERS = flags.DEFINE_boolean(
  "members",
  False,
  "Offer each network alone, too, as the signatures serving_network1 and "
  "serving_network2.",
)
TOP_K = flags.DEFINE_integer(
  "top_k",
  5,
  "How many classes the signature classify names, at least 1, at most all.",
  lower_bound=1,
)
