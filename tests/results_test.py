"""RESULTS.md shows what `results/` holds."""

import os
import pathlib
import re

from absl.testing import absltest

from nct_tf.experiments import pages, reproduction, tables

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_TEXT = (_ROOT / "RESULTS.md").read_text(encoding="utf-8")


class ResultsTest(absltest.TestCase):
  def test_tables_are_what_their_commands_print(self):
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(_ROOT)  # The links are relative to where a command is run.
    results = reproduction.Results("results")
    commands = re.findall(r"-m scripts\.reproduce (--table=(?:\\\n|.)*)", _TEXT)
    self.assertLen(commands, 5)
    for command in commands:
      flags = dict(
        flag.removeprefix("--").split("=")
        for flag in command.replace("\\\n", " ").split()
      )
      table = tables.load(flags["table"], flags["scale"])
      cells = table.choose(flags.get("cell", "").split(",") * ("cell" in flags))
      found = results.of_cells(cells, (0, 1, 2))
      printed = pages.format_table(table, cells, found, (0, 1, 2))
      self.assertIn(printed, _TEXT, f"{command} prints\n{printed}")

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
