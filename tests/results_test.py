"""RESULTS.md shows what `results/` holds."""

import os
import pathlib
import re

from absl.testing import absltest

from nct_tf.experiments import (
  pages,
  ranking,
  regret,
  reproduction,
  tables,
  tuning,
)

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_TEXT = (_ROOT / "RESULTS.md").read_text(encoding="utf-8")


def _parse(command):
  """Returns a command's `Table`, its chosen `Cell`s, and its seeds."""
  flags = dict(
    flag.removeprefix("--").split("=")
    for flag in command.replace("\\\n", " ").split()
    if "=" in flag
  )
  table = tables.load(flags["table"], flags["scale"])
  names = flags["cell"].split(",") if "cell" in flags else ()
  seeds = [int(seed) for seed in flags.get("seeds", "0,1,2").split(",")]
  return table, table.choose(names), seeds


def _squeeze(text):
  """Returns text without the spaces that align the columns of a table."""
  return re.sub(" +", " ", text)


class ResultsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(_ROOT)  # The links are relative to where a command is run.
    self.results = reproduction.Results("results")

  def test_tables_are_what_their_commands_print(self):
    commands = re.findall(r"-m scripts\.reproduce (--table=(?:\\\n|.)*)", _TEXT)
    self.assertLen(commands, 6)
    for command in commands:
      table, cells, seeds = _parse(command)
      found = self.results.of_cells(cells, seeds)
      printed = pages.format_table(table, cells, found, seeds)
      self.assertIn(printed, _TEXT, f"{command} prints\n{printed}")

  def test_methods_are_ranked_as_printed(self):
    cells = tables.load("methods", "cpu").choose(())
    found = self.results.of_cells(cells, (0, 1, 2))
    ranked = ranking.rank(cells, found)
    printed = ranking.format_ranking(ranked)
    self.assertIn(printed, _TEXT, printed)
    regrets = regret.format_regrets(
      regret.measure(cells, found), ranking.titles(ranked)
    )
    self.assertIn(regrets, _TEXT, regrets)
    means = regrets.splitlines()[-1].split("|")[5:7]
    self.assertEqual(
      [mean.strip() for mean in means],
      [
        f"{100 * value:.1f}"
        for value in (
          tuning.MEASURED_REGRET,
          tuning.MEASURED_REGRET_OF_HALVING,
        )
      ],
    )
    # Each method's own page has its row.
    page = (_ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    for row in printed.splitlines()[2:]:
      if "told the noise" not in row:
        self.assertIn(_squeeze(row), _squeeze(page), row)

  def test_links_lead_somewhere(self):
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", _TEXT))
    self.assertGreater(len(links), 30)
    for link in links:
      self.assertTrue((_ROOT / link).exists(), link)
      if link.endswith("/"):
        self.assertTrue((_ROOT / link / "README.md").exists(), link)

  def test_each_kept_run_has_all_its_small_files(self):
    folders = [path.parent for path in _ROOT.glob("results/**/result.json")]
    self.assertNotEmpty(folders)
    for folder in folders:
      for name in ("flags.txt", "history.csv"):
        self.assertTrue((folder / name).exists(), folder / name)


if __name__ == "__main__":
  absltest.main()
