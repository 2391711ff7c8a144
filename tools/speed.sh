#!/bin/sh
# Measures what README.md and docs/speed.md say of speed, and prints the tables.
#
# Usage: tools/speed.sh FOLDER TORCH_PYTHON PYTHON...
#
# FOLDER keeps what was measured, a JSON file each. TORCH_PYTHON has PyTorch,
# each PYTHON has nct_tf. BATCH and IMAGES of the environment are for a GPU:
# BATCH=128 IMAGES=60000. STEPS is how many are timed.
set -eu
cd "$(dirname "$0")/.."
folder=$1
torch_python=$2
shift 2
mkdir -p "$folder"
flags="--network=preact_resnet18 --batch_size=${BATCH:-64}
  --num_steps=${STEPS:-20}"
for python in "$@"; do
  name=$("$python" -c "from importlib import metadata
print('tensorflow-' + metadata.version('tensorflow'))")
  for precision in none bfloat16; do
    # Flags are words.
    # shellcheck disable=SC2086
    "$python" -m scripts.benchmark $flags --mixed_precision="$precision" \
      --compare=torch --torch_python="$torch_python" \
      --output="$folder/steps-$name-$precision.json"
    # shellcheck disable=SC2086
    "$python" -m scripts.benchmark $flags --mixed_precision="$precision" \
      --suite=training --dataset=fake \
      --fake_num_train_examples="${IMAGES:-1024}" \
      --output="$folder/training-$name-$precision.json"
  done
done
TF_CPP_MIN_LOG_LEVEL=3 "$python" -m nct_tf.benchmarks.speed_tables "$folder"/*.json
