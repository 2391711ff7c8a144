"""RESULTS.md shows what `results/` holds."""

import os
import pathlib
import re
import tempfile

from absl.testing import absltest

from nct_tf.experiments import choice
from tools import results_tables

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_TEXT = (_ROOT / "RESULTS.md").read_text(encoding="utf-8")
# Rows of the tables that commands print: with links, or of the ranking.
_ROW = re.compile(
  r"^\|.*\]\(results/cpu/.*|^\| (JoCoR|NCT|Standard|mean)  .*|^\| JoCoR .*",
  re.MULTILINE,
)


class ResultsTest(absltest.TestCase):
  def test_tables_are_what_their_commands_print(self):
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(_ROOT)  # The links are relative to where a command is run.
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    (folder / "docs").mkdir()
    for name in ("RESULTS.md", "docs/methods.md"):
      text = (_ROOT / name).read_text(encoding="utf-8")
      damaged, count = _ROW.subn("| JoCoR |", text)
      self.assertGreater(count, 100 if name == "RESULTS.md" else 0)
      (folder / name).write_text(damaged, encoding="utf-8")
    for path, text in results_tables.renewed(folder).items():
      original = _ROOT / path.relative_to(folder)
      # The files are too long to show how they differ.
      self.assertTrue(
        text == original.read_text(encoding="utf-8"),
        f"{original} differs; run make results",
      )

  def test_all_commands_are_found(self):
    self.assertLen(results_tables.commands(_TEXT), 7)

  def test_tune_tells_the_regrets_of_the_table(self):
    (means,) = re.findall(r"^\| mean +\|.*", _TEXT, re.MULTILINE)
    self.assertEqual(
      [mean.strip() for mean in means.split("|")[5:7]],
      [
        f"{100 * value:.1f}"
        for value in (
          choice.MEASURED_REGRET,
          choice.MEASURED_REGRET_OF_HALVING,
        )
      ],
    )

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
