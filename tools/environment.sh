#!/bin/sh
# Makes a virtual environment with all that nct_tf needs, unless it is there.
#
#   environment.sh FOLDER [PYTHON]
#
# PYTHON is the interpreter to use. If it is not given, the first supported one
# of python3, python3.11, python3.10, python3.12 and python3.13 is used. Nothing
# is installed into an active environment; at most its interpreter is used.
set -u

cd "$(dirname "$0")/.." || exit 1
folder=$1
python=${2-}

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
if [ "$(cat "$stamp" 2>/dev/null)" = "$version $wanted" ] &&
  "$folder/bin/python" -c "" 2>/dev/null; then
  exit 0
fi

echo "Making $folder for Python $version (once; takes a minute or two)"
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
    --editable ".[serving,test]" ||
  fail "installing failed: $(sed -n 's/^ *ERROR: //p' "$log" | head -n 1) (all of it: $log)"
echo "$version $wanted" >"$stamp"
