"""The commands of the README on a folder of one's own images, as a newcomer.

Only `make test-long` runs it.
"""

import csv
import json
import pathlib
import re
import shlex
import tempfile

from absl.testing import absltest
import numpy as np

from tests.support import long_tests, processes

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_PYTHON = ".venv/bin/python"


def commands(page, heading):
  """Returns the commands of a page's chapter: list of list of str."""
  text = (_ROOT / page).read_text(encoding="utf-8")
  (chapter,) = re.findall(
    rf"^{heading}\n(.*?)^##", text, re.MULTILINE | re.DOTALL
  )
  code = "".join(re.findall(r"```shell\n(.*?)```", chapter, re.DOTALL))
  lines = code.replace("\\\n", "").splitlines()
  words = [shlex.split(line, comments=True) for line in lines]
  return [command for command in words if command]


@long_tests.only
class NewcomerTest(absltest.TestCase):
  def run_command(self, command, folder):
    """Runs a command with its folders inside of another one."""
    self.assertEqual(command[0], _PYTHON)
    arguments = [
      re.sub(r"(=|:)(pictures|runs)/", rf"\1{folder}/\2/", argument)
      for argument in command[1:]
    ]
    process = processes.run_python(*arguments, *self.more_arguments(arguments))
    self.assertEqual(process.returncode, 0, process.stderr)
    return process.stdout

  def more_arguments(self, arguments):
    if any("folder=" in argument for argument in arguments):
      return []
    return [f"--cache_dir={self.folder / 'cache'}"]

  def decide(self, decisions, suspects, right_labels):
    """Relabels what the audit suspects, as somebody on its page would."""
    with open(decisions, "w", encoding="utf-8", newline="") as file:
      writer = csv.writer(file)
      writer.writerow(("id", "decision", "label"))
      for suspect in suspects:
        writer.writerow((suspect, "relabel", right_labels[suspect]))

  def test_three_commands_find_the_misplaced(self):
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    make, train, audit, again = commands("README.md", "## Your own images")
    (check,) = commands("docs/data.md", "### Check the data first")
    self.run_command(make, self.folder)
    with open(self.folder / "pictures/digits/labels.csv") as file:
      rows = list(csv.DictReader(file))
    paths = [row["path"].removeprefix("images/") for row in rows]
    right_labels = {
      path: row["clean_label"] for path, row in zip(paths, rows, strict=True)
    }
    misplaced = {
      path
      for path, row in zip(paths, rows, strict=True)
      if row["label"] != row["clean_label"]
    }
    printed = self.run_command(check, self.folder)
    self.assertRegex(printed, r"(?m)^all +1438 +359$")
    self.assertRegex(printed, r"(?m)^ +--num_epochs=45 ")
    self.assertRegex(printed, r"(?m)^all 45 epochs +[\d.]+ (s|min)\b")
    self.run_command(train, self.folder)
    self.run_command(audit, self.folder)
    folder = self.folder / "runs/own/audit"
    with open(folder / "labels.csv", encoding="utf-8") as file:
      audited = list(csv.DictReader(file))
    ids = [row["id"] for row in audited]
    training = {row["id"] for row in audited if row["split"] == "train"}
    self.assertCountEqual(ids, paths)
    summary = json.loads((folder / "audit.json").read_text())
    self.assertEqual(summary["num_folds"], 3)
    self.assertAlmostEqual(
      summary["noise_rate"], len(misplaced) / len(ids), delta=0.03
    )
    found = misplaced & set(ids[: len(ids) // 4])
    self.assertGreaterEqual(len(found), 0.8 * len(misplaced))
    text = (folder / "page/data.js").read_text(encoding="utf-8")
    data = json.loads(re.search(r"= (\{.*\});", text).group(1))
    self.assertEmpty(found - set(data["suspects"]["id"]))
    for thumbnail in data["suspects"]["thumbnail"]:
      self.assertTrue((folder / thumbnail).exists())
    decisions = self.folder / "runs/own/decisions.csv"
    self.decide(decisions, found, right_labels)
    self.run_command(again, self.folder)
    noise = np.load(self.folder / "runs/own_relabelled/noise.npz")
    self.assertLen(noise["given_label"], len(training))
    num_relabelled = np.sum(
      noise["given_label"]
      != np.load(self.folder / "runs/own/noise.npz")["given_label"]
    )
    self.assertEqual(num_relabelled, len(found & training))
    result = json.loads(
      (self.folder / "runs/own_relabelled/result.json").read_text()
    )
    self.assertEqual(
      result["test_parts"]["decided"]["num_examples"], len(found - training)
    )


if __name__ == "__main__":
  absltest.main()
