#!/bin/sh
# Renews constraints/: resolves setup.py's requirements for each Python line.
set -eu
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv"/bin/python -m pip install --quiet --upgrade pip uv
for version in 3.10 3.11 3.12 3.13; do
  {
    echo "# Made by 'make lock' from setup.py for Python $version on Linux."
    "$venv"/bin/uv pip compile setup.py --extra=serving --extra=test \
      --extra=gpu --quiet --upgrade \
      --python-version="$version" --python-platform=linux \
      --no-header --no-annotate
  } >"constraints/python$version.new"
  mv "constraints/python$version.new" "constraints/python$version.txt"
done
