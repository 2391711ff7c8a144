"""What is classified, by whom, and how the answers look."""

from absl import flags

IMAGES = flags.DEFINE_list(
  "images",
  None,
  "What to classify, separated by commas: JPEG and PNG files, folders (all "
  ".jpg, .jpeg and .png in and below them, but for links to folders), and "
  "patterns with *, **, ? and [...].",
)
FORMAT = flags.DEFINE_enum(
  "format",
  "table",
  ["table", "csv", "jsonl"],
  "How to print the answers; jsonl is a JSON object a line.",
)
REST_URL = flags.DEFINE_string(
  "rest_url",
  None,
  "A running TF Serving to ask over HTTP, like http://localhost:8501.",
)
GRPC_ADDRESS = flags.DEFINE_string(
  "grpc_address",
  None,
  "A running TF Serving to ask over gRPC, like localhost:8500 (needs "
  "tensorflow-serving-api).",
)
MODEL_NAME = flags.DEFINE_string(
  "model_name",
  "default",
  "Name of the model on the server; the default is TF Serving's own.",
)
VERSION_LABEL = flags.DEFINE_string(
  "version_label",
  None,
  "Label of the version to ask on the server, like stable; not together with "
  "--version.",
)
TIMEOUT_SECONDS = flags.DEFINE_float(
  "timeout_seconds",
  30.0,
  "Seconds that the server may take for one answer, above 0; over gRPC with "
  "all repetitions.",
  lower_bound=0.001,
)
NUM_RETRIES = flags.DEFINE_integer(
  "num_retries",
  3,
  "How often a request is repeated, in growing intervals, when the server "
  "cannot be reached, hangs up or has too much to do; 0 to 4.",
  lower_bound=0,
  upper_bound=4,
)
