"""Writes the tables of RESULTS.md and docs/methods.md anew, from `results/`.

Those of RESULTS.md are what its commands with `--table` print. Their numbers
change with the runs that are kept; the sentences around them are a person's.
"""

import os
import pathlib
import re
import sys

from nct_tf.system import quiet

with quiet.silence():
  from nct_tf.experiments import pages, reproduction, tables

_ROOT = pathlib.Path(__file__).absolute().parents[1]
# A command goes on behind a backslash.
_COMMAND = re.compile(r"-m scripts\.reproduce (--table=(?:\\\n|.)*)")
_LINES = r"(?:\|.*\n)+"
_RANKING = re.compile(rf"^\| last epoch  .*\n{_LINES}", re.MULTILINE)
_REGRETS = re.compile(rf"^\| +\| +among .*\n{_LINES}", re.MULTILINE)
_METHOD_ROWS = re.compile(
  rf"^\| last epoch \|.*\n\|[-:|]+\|\n({_LINES})", re.MULTILINE
)


def renewed(root):
  """Returns what the files are to be: dict from `pathlib.Path` to str.

  Args:
    root: `pathlib.Path`, above both files. The runs are in `results` of the
      current folder, to which links lead.
  """
  results = reproduction.Results("results")
  path = root / "RESULTS.md"
  text, rows = _renew_results(path.read_text(encoding="utf-8"), results)
  page = root / "docs" / "methods.md"
  methods = page.read_text(encoding="utf-8")
  return {path: text, page: _renew_rows(methods, rows)}


def _parse(command):
  """Returns a command's `Table`, its chosen `Cell`s, and its seeds.

  Args:
    command: str, the flags of `scripts.reproduce`.
  """
  flags = dict(
    flag.removeprefix("--").split("=")
    for flag in command.replace("\\\n", " ").split()
    if "=" in flag
  )
  table = tables.load(flags["table"], flags["scale"])
  names = flags["cell"].split(",") if "cell" in flags else ()
  seeds = [int(seed) for seed in flags.get("seeds", "0,1,2").split(",")]
  return table, table.choose(names), seeds


def commands(text):
  """Returns the flags of the commands that print tables: list of str."""
  return _COMMAND.findall(text)


def _renew_results(text, results):
  """Returns RESULTS.md, and the lines of its first ranking.

  A command's table stands behind it. The rankings, and the tables of regret,
  are in the order of the commands that print them.
  """
  rankings, regrets = [], []
  start = 0
  for command in commands(text):
    table, cells, seeds = _parse(command)
    found = results.of_cells(cells, seeds)
    *ranked, printed = pages.describe(table, cells, found, seeds)
    caption = re.escape(f"**{table.caption}.")
    start = text.index(command, start) + len(command)
    old = re.compile(rf"^{caption}(?:.*\n)*?{_LINES}", re.MULTILINE)
    text = text[:start] + old.sub(_constant(printed), text[start:], count=1)
    if ranked:
      of_ranking, of_regret = ranked
      rankings.append(of_ranking)
      regrets.append(of_regret)
  text = _replace_each(_RANKING, rankings, text)
  return _replace_each(_REGRETS, regrets, text), rankings[0].splitlines()


def _constant(table):
  return lambda _: table + "\n"


def _replace_each(pattern, new, text):
  """Replaces the first match by the first table, and so on."""
  following = iter(new)

  def replace(match):
    table = next(following, None)
    return match[0] if table is None else table + "\n"

  return pattern.sub(replace, text)


def _renew_rows(text, ranking_lines):
  """Returns docs/methods.md, where each method has its row of the ranking."""
  header, _, *rows = map(_squeeze, ranking_lines)
  line = "|---|" + "---:|" * (header.count("|") - 2)
  by_title = {_title(row): row for row in rows}
  missing = {title for title in by_title if "told the noise" not in title}

  def replace(match):
    titles = [_title(row) for row in match[1].splitlines()]
    missing.difference_update(titles)
    own = [by_title[title] for title in titles]
    return "\n".join([header, line, *own, ""])

  text = _METHOD_ROWS.sub(replace, text)
  if missing:
    sys.exit(f"docs/methods.md has no row of {', '.join(sorted(missing))}")
  return text


def _title(row):
  return row.split("|")[1].strip()


def _squeeze(text):
  """Returns text without the spaces that align the columns of a table."""
  return re.sub(" +", " ", text)


def main():
  """Writes the files that differ, and names them."""
  os.chdir(_ROOT)  # Links are relative to where a command is run.
  for path, text in renewed(_ROOT).items():
    if text != path.read_text(encoding="utf-8"):
      path.write_text(text, encoding="utf-8")
      print(f"{path}: written")


if __name__ == "__main__":
  main()
