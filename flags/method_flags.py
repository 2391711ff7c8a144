"""The training method and the parameters of the paper's equations."""

from absl import flags

METHOD = flags.DEFINE_enum(
  "method",
  "nct",
  ["nct", "standard", "dml", "bootstrap"],
  "nct is Noisy Concurrent Training of two networks; standard trains one "
  "network with plain cross entropy, without --temperature, --alpha_... and "
  "--target_variability_....",
)
TEMPERATURE = flags.DEFINE_float(
  "temperature",
  4.0,
  "Temperature of the mimicry loss, above 0 (tau of Eq. 1 and 2).",
  lower_bound=1e-6,
)
ALPHA_MAX = flags.DEFINE_float(
  "alpha_max",
  0.9,
  "Final weight of the mimicry loss, in [0, 1] (Eq. 4); 0 turns it off.",
  lower_bound=0.0,
  upper_bound=1.0,
)
ALPHA_STEEPNESS = flags.DEFINE_float(
  "alpha_steepness",
  0.65,
  "How much lower the weight starts, at least 0: exp(-steepness) of the final "
  "one. Minus the beta of Eq. 4 as the paper prints it.",
  lower_bound=0.0,
)
ALPHA_RAMPUP_EPOCHS = flags.DEFINE_integer(
  "alpha_rampup_epochs",
  None,
  "Epoch at which the weight is final (e_r of Eq. 4); 90 % of --num_epochs if "
  "not given.",
  lower_bound=0,
)
TARGET_VARIABILITY_MIN = flags.DEFINE_float(
  "target_variability_min",
  0.0,
  "Share of each batch's labels that is randomised at the start, in [0, 1] "
  "(r_min of Eq. 5).",
  lower_bound=0.0,
  upper_bound=1.0,
)
TARGET_VARIABILITY_MAX = flags.DEFINE_float(
  "target_variability_max",
  0.5,
  "Share of each batch's labels that is randomised at the end, in [0, 1] "
  "(r_max of Eq. 5); 0 turns it off. The one parameter that the paper tunes.",
  lower_bound=0.0,
  upper_bound=1.0,
)
TARGET_VARIABILITY_WARMUP_EPOCHS = flags.DEFINE_integer(
  "target_variability_warmup_epochs",
  1,
  "Epochs before the share begins to rise (e_w of Eq. 5).",
  lower_bound=0,
)
TARGET_VARIABILITY_EXCLUDE_TRUE = flags.DEFINE_boolean(
  "target_variability_exclude_true",
  True,
  "Whether a random label always differs from the given one, as in Algorithm "
  "2; the authors' code draws from all classes.",
)
