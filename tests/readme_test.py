import contextlib
import io
import pathlib
import re

from absl.testing import absltest

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_TEXT = (_ROOT / "README.md").read_text(encoding="utf-8")


class ReadmeTest(absltest.TestCase):
  def test_its_code_runs(self):
    # Another block asks a server, which the tests of serving start.
    code = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)[-1]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
      exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    accuracy = float(printed.getvalue().split("%")[0])
    # Three classes, 30 % of whose training labels are wrong.
    self.assertGreater(accuracy, 80)

  def test_no_figure_is_missing(self):
    self.assertEmpty(re.findall("@@.*", _TEXT))

  def test_its_links_lead_somewhere(self):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", _TEXT)
    self.assertGreater(len(links), 8)
    for link in links:
      self.assertTrue((_ROOT / link).exists(), link)


if __name__ == "__main__":
  absltest.main()
