#!/bin/sh
# Runs the tests with Bazel and the Python of a virtual environment.
#
#   bazel_test.sh [BIN] [ARGUMENT...]
#
# BIN is the environment's folder of programs, .venv/bin if not given. The
# arguments go to `bazel test //...`. The exit code is 77 if there is no Bazel
# 4.2; Bazel's own codes are lower (3 means that tests failed).
set -eu

cd "$(dirname "$0")/.."
bin=${1:-.venv/bin}
[ $# -eq 0 ] || shift

fail() {
  status=$1
  shift
  echo "nct_tf: $*" >&2
  exit "$status"
}

debian="Debian: apt-get install bazel-bootstrap bazel-rules-java"
command -v bazel >/dev/null || fail 77 "no bazel found ($debian)"
case $(bazel --version) in
  "bazel 4.2."* | "bazel no_version") ;; # Debian's Bazel has no version.
  *) fail 77 "needed is Bazel 4.2, found is $(bazel --version) ($debian)" ;;
esac
[ -d /usr/share/bazel/rules/java ] ||
  fail 77 "no /usr/share/bazel/rules/java ($debian)"
[ -x "$bin/python3" ] || fail 1 "no python3 in $bin (make environment)"

PATH=$(cd "$bin" && pwd):$PATH exec bazel test //... "$@"
