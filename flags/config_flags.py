"""The flags that define a run, but for its folders."""

from flags import (
  data_dir_flags,
  data_flags,
  method_flags,
  network_flags,
  runtime_flags,
  training_flags,
)

MODULES = (
  data_dir_flags,
  data_flags,
  network_flags,
  method_flags,
  training_flags,
  runtime_flags,
)
