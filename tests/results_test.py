"""RESULTS.md shows what `results/` holds."""

import os
import pathlib
import re
import tempfile

from absl.testing import absltest

from nct_tf.experiments import (
  pages,
  ranking,
  regret,
  reproduction,
  tables,
  tuning,
)
from tools import results_tables

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_TEXT = (_ROOT / "RESULTS.md").read_text(encoding="utf-8")


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
    commands = results_tables.commands(_TEXT)
    self.assertLen(commands, 6)
    for command in commands:
      table, cells, seeds = results_tables.parse(command)
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

  def test_the_tool_restores_what_is_changed(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    (folder / "docs").mkdir()
    for name in ("RESULTS.md", "docs/methods.md"):
      text = (_ROOT / name).read_text(encoding="utf-8")
      damaged = re.sub(
        r"(?m)^\| (JoCoR|mean)  .*|^\| JoCoR .*", "| JoCoR |", text
      )
      self.assertNotEqual(damaged, text)
      (folder / name).write_text(damaged, encoding="utf-8")
    for path, text in results_tables.renewed(folder).items():
      original = _ROOT / path.relative_to(folder)
      # The files are too long to show how they differ.
      self.assertTrue(text == original.read_text(encoding="utf-8"), path)

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
