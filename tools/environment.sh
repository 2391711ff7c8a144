#!/bin/sh
# Makes a virtual environment with all that nct_tf needs, unless it is there.
#
#   environment.sh FOLDER [PYTHON [GPU]]
#
# PYTHON is the interpreter to use. If it is not given, the first supported one
# of python3, python3.11, python3.10, python3.12 and python3.13 is used. Nothing
# is installed into an active environment; at most its interpreter is used.
#
# GPU is `auto`, `yes` or `no`: whether TensorFlow's CUDA libraries (gigabytes)
# are installed, too. `auto` does so on Linux if nvidia-smi lists a GPU. What
# FOLDER was once made with or told stays.
set -u

cd "$(dirname "$0")/.." || exit 1
folder=$1
python=${2-}
gpu=${3:-auto}

fail() {
  echo "nct_tf: $*" >&2
  exit 1
}

# Prints MAJOR.MINOR of an interpreter that runs, or nothing.
version_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

is_supported() {
  [ -n "$1" ] && [ -f "constraints/python$1.txt" ]
}

# Prints the names of the GPUs that the driver shows, or nothing.
list_gpus() {
  [ "$(uname -s)" = Linux ] || return
  nvidia-smi --list-gpus 2>/dev/null | sed -n 's/^GPU [0-9]*: \(.*\) (UUID.*/\1/p'
}

case $gpu in
auto | yes | no) ;;
*) fail "GPU=$gpu must be auto, yes or no" ;;
esac

if [ -n "$python" ]; then
  version=$(version_of "$python")
  [ -n "$version" ] || fail "PYTHON=$python does not run"
  is_supported "$version" ||
    fail "PYTHON=$python is Python $version; needed is 3.10, 3.11, 3.12 or 3.13"
else
  found=
  for python in python3 python3.11 python3.10 python3.12 python3.13; do
    version=$(version_of "$python")
    is_supported "$version" && break
    [ -n "$version" ] && found="$found $python is $version;"
    version=
  done
  [ -n "$version" ] ||
    fail "no Python 3.10, 3.11, 3.12 or 3.13 found (${found:- no python3 at all;}" \
      "name one with PYTHON=/path/to/python3.11)"
fi

# Take the interpreter that an active environment was made from, because that
# environment may be $folder itself.
python=$("$python" -c \
  'import sys; print(getattr(sys, "_base_executable", sys.executable))')

constraints=constraints/python$version.txt
# This file says what was installed, and from what; it is written last.
stamp=$folder/installed-requirements
wanted=$(cat setup.py "$constraints" | cksum)
reason="as GPU=$gpu says"
if [ "$gpu" = auto ]; then
  gpu=$(sed -n 's/.* GPU=//p' "$stamp" 2>/dev/null)
  reason="as before"
  case $gpu in yes | no) ;; *)
    gpu=none
    found=$(list_gpus | head -n 1)
    [ -z "$found" ] || gpu=yes reason="for $found; GPU=no leaves them out"
    ;;
  esac
fi
if [ "$(cat "$stamp" 2>/dev/null)" = "$version $wanted GPU=$gpu" ] &&
  "$folder/bin/python" -c "" 2>/dev/null; then
  exit 0
fi

case $gpu in
yes) extras=serving,test,gpu with="CUDA libraries ($reason)" ;;
no) extras=serving,test with="no CUDA libraries ($reason)" ;;
none) extras=serving,test with="no CUDA libraries (nvidia-smi shows no GPU)" ;;
esac
echo "Making $folder for Python $version with $with (once; takes minutes)"
# Only a folder that this script made is deleted; it has this file.
log=$folder/install.log
if [ -e "$folder" ] && [ ! -f "$log" ]; then
  fail "$folder is there and is not an environment that 'make' made:" \
    "choose another one with VENV=folder"
fi
rm -rf "$folder"
{ mkdir -p "$folder" && : >"$log"; } 2>/dev/null || fail "$folder cannot be made"
"$python" -m venv "$folder" >"$log" 2>&1 ||
  fail "$python cannot make a virtual environment in $folder" \
    "(Debian: apt-get install python3-venv; what it said: $log)"
# An old pip backtracks for minutes; a current one does not.
install() {
  "$folder/bin/python" -m pip install --quiet "$@" >>"$log" 2>&1
}
install --upgrade pip &&
  install --constraint "$constraints" setuptools &&
  install --constraint "$constraints" --no-build-isolation \
    --editable ".[$extras]" ||
  fail "installing failed: $(sed -n 's/^ *ERROR: //p' "$log" | head -n 1) (all of it: $log)"
echo "$version $wanted GPU=$gpu" >"$stamp"
