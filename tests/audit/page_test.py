import csv
import dataclasses
import json
import os
import pathlib
import re
import tempfile
import unittest

from absl.testing import absltest, parameterized
import axe_core_python
from matplotlib import image
import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from nct_tf import errors
from nct_tf.audit import label_audit, page
from tests.support import long_tests

CHROMIUM = pathlib.Path("/usr/bin/chromium")
CHROMEDRIVER = pathlib.Path("/usr/bin/chromedriver")

HOSTILE_IDS = (
  'train/"quoted", with comma.png',
  "</script><script>window.hacked = 1</script>",
  "<img src=x onerror='window.hacked = 1'>",
  "two\nlines\r\nand more.png",
  "Zürich/猫 \u2028 🐈.png",
  "__proto__",
  "=1+1&amp;'%20#?",
)
CLASS_NAMES = (
  "cat",
  'dog "Rex", large',
  "<b onclick='window.hacked = 1'>bird</b>",
  "Löwe 🦁",
  "{{ 7 * 7 }}",
)


def make_page_data(num_suspects=30, num_examples=1000, names=CLASS_NAMES):
  """A page of which each third suspect has its own pair of classes."""
  scores = np.random.default_rng(0).beta(0.7, 1.2, num_examples)
  ids = [*HOSTILE_IDS, *(f"train/{i:06d}.png" for i in range(num_suspects))]
  transition = np.full((len(names), len(names)), 0.2 / (len(names) - 1))
  np.fill_diagonal(transition, 0.8)
  suspects = [
    {
      "id": ids[i],
      "given": i % 3,
      "suggested": i % 3 + 1,
      "given_probability": 0.05,
      "suggested_probability": 0.9,
      "disagreement": None if i % 2 else 0.25,
      "score": score,
      "rank": i + 1,
      "split": "test" if i == 1 else "train",
      "thumbnail": f"thumbnails/{i:06d}.png",
    }
    for i, score in enumerate(np.sort(scores)[::-1][:num_suspects])
  ]
  return page.PageData(
    title="runs/<digits> & co",
    command="python -m scripts.train --label_decisions=decisions.csv",
    noise_rate=0.213,
    noise_rate_low=0.2,
    noise_rate_high=0.2264,
    warnings=("Class <i>cat</i> has five examples only.",),
    class_names=names,
    suspects=suspects,
    scores=scores,
    threshold=float(np.sort(scores)[-20]),  # So that it flags twenty.
    transition=transition,
    transition_low=transition - 0.05,
    transition_high=transition + 0.05,
  )


def write_page(folder, page_data):
  page.write(folder, page_data)
  thumbnails = folder / "thumbnails"
  thumbnails.mkdir()
  for i in range(8):
    picture = np.random.default_rng(i).uniform(size=(8, 8))
    image.imsave(thumbnails / f"{i:06d}.png", picture)
  for i in range(8, len(page_data.suspects)):
    os.link(thumbnails / f"{i % 8:06d}.png", thumbnails / f"{i:06d}.png")


def read_data(folder):
  text = (folder / "page" / "data.js").read_text(encoding="utf-8")
  return json.loads(
    re.fullmatch(r"window\.auditData = (.*);\n", text, re.DOTALL)[1]
  )


class WriteTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def test_files_are_whole_and_alone(self):
    page.write(self.folder / "audit", make_page_data())
    page.write(self.folder / "audit", make_page_data())
    names = [
      path.relative_to(self.folder).as_posix()
      for path in self.folder.rglob("*")
      if path.is_file()
    ]
    self.assertCountEqual(
      names,
      [
        "audit/index.html",
        "audit/page/data.js",
        "audit/page/page.css",
        "audit/page/page.js",
      ],
    )

  def test_a_page_that_cannot_be_finished_is_not_begun(self):
    (self.folder / "page" / "data.js").mkdir(parents=True)
    with self.assertRaises(IsADirectoryError):
      page.write(self.folder, make_page_data())
    self.assertFalse((self.folder / "index.html").exists())
    self.assertEmpty(list(self.folder.rglob(".*")))

  def test_refers_to_nothing_but_its_own_files(self):
    page.write(self.folder, make_page_data())
    for path in self.folder.rglob("*.*"):
      text = path.read_text(encoding="utf-8")
      self.assertNotRegex(text, r"https?:|//[\w.]+\.\w|@import|url\(", path)
    html = (self.folder / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    self.assertLen(links, 5)
    for link in links:
      if link not in ("data:,", "#pictures"):
        self.assertTrue((self.folder / link).exists(), link)

  def test_text_cannot_become_markup(self):
    data = make_page_data()
    page.write(self.folder, data)
    html = (self.folder / "index.html").read_text(encoding="utf-8")
    self.assertIn("runs/&lt;digits&gt; &amp; co", html)
    self.assertIn("Class &lt;i&gt;cat&lt;/i&gt; has", html)
    self.assertEqual(html.count("<script"), 2)
    script = (self.folder / "page" / "data.js").read_text(encoding="utf-8")
    self.assertTrue(script.isascii())
    self.assertNoCommonElements(script, "<>&")

  def test_data_come_through(self):
    data = make_page_data()
    page.write(self.folder, data)
    read = read_data(self.folder)
    self.assertEqual(read["numExamples"], 1000)
    self.assertEqual(read["classNames"], list(CLASS_NAMES))
    for key in (
      "id",
      "given",
      "suggested",
      "disagreement",
      "score",
      "rank",
      "split",
    ):
      self.assertEqual(
        read["suspects"][key], [suspect[key] for suspect in data.suspects]
      )
    np.testing.assert_allclose(read["transitionHigh"], data.transition_high)
    self.assertEqual(sum(read["histogramCounts"]), 1000)
    self.assertEqual(
      read["thresholds"][read["initialPosition"]], data.threshold
    )
    for i in range(0, len(read["thresholds"]), 7):
      self.assertEqual(
        read["numFlagged"][i], np.sum(data.scores >= read["thresholds"][i])
      )

  def test_it_begins_without_any_where_none_is_flagged(self):
    data = dataclasses.replace(
      make_page_data(), threshold=label_audit.ABOVE_ALL
    )
    data.scores[0] = data.suspects[0]["score"] = 1.0
    page.write(self.folder, data)
    read = read_data(self.folder)
    position = read["initialPosition"]
    self.assertEqual(read["numFlagged"][position - 1 :], [1, 0])
    self.assertGreater(read["thresholds"][position], 1)

  def test_a_million_scores_take_little_room(self):
    scores = np.random.default_rng(0).uniform(size=1_000_000)
    data = dataclasses.replace(make_page_data(), scores=scores)
    page.write(self.folder, data)
    size = (self.folder / "page" / "data.js").stat().st_size
    self.assertLess(size, 40_000)

  def test_the_matrix_of_a_thousand_classes_has_the_mistaken_ones(self):
    names = [f"class {number}" for number in range(1000)]
    page_data = make_page_data(names=names)
    transition = np.eye(1000)
    mistaken = np.arange(300, 400, 2)
    transition[mistaken, mistaken + 1] = 0.2
    page_data = dataclasses.replace(
      page_data,
      transition=transition,
      transition_low=0 * transition,
      transition_high=0 * transition + 1,
    )
    page.write(self.folder, page_data)
    data = read_data(self.folder)
    self.assertEqual(data["matrixClasses"], list(range(300, 400)))
    self.assertEqual(np.shape(data["transition"]), (100, 100))
    self.assertEqual(data["transition"][0][1], 0.2)
    self.assertLess((self.folder / "page/data.js").stat().st_size, 500_000)
    text = (self.folder / page.FILE).read_text(encoding="utf-8")
    self.assertIn("100 classes of the most frequent mistakes, of", text)

  def test_what_is_unknown(self):
    data = make_page_data()
    transition = np.array(data.transition)
    transition[1] = np.nan
    data = dataclasses.replace(data, transition=transition)
    page.write(self.folder, data)
    self.assertEqual(read_data(self.folder)["transition"][1], [None] * 5)

  def test_fingerprints_tell_audits_apart(self):
    data = make_page_data()
    others = [
      dataclasses.replace(data, title="another run"),
      dataclasses.replace(data, suspects=data.suspects[1:]),
      dataclasses.replace(data, class_names=("a", "b", "c", "d", "e")),
    ]
    fingerprints = []
    # What is shown of a picture may change; decisions on it stay.
    for page_data in (data, dataclasses.replace(data, threshold=0.9), *others):
      page.write(self.folder, page_data)
      fingerprints.append(read_data(self.folder)["fingerprint"])
    self.assertEqual(fingerprints[0], fingerprints[1])
    self.assertLen(set(fingerprints), 4)

  @parameterized.named_parameters(
    ("absolute", "/etc/x.png"),
    ("elsewhere", "../x.png"),
    ("nothing", ""),
  )
  def test_refuses_a_thumbnail(self, path):
    data = make_page_data()
    data.suspects[0]["thumbnail"] = path
    with self.assertRaisesRegex(errors.InvalidInputError, "below the page's"):
      page.write(self.folder, data)

  def test_quotes_a_thumbnail(self):
    data = make_page_data()
    data.suspects[0]["thumbnail"] = "http://a.b/ü#1?.png"
    page.write(self.folder, data)
    self.assertEqual(
      read_data(self.folder)["suspects"]["thumbnail"][0],
      "./http%3A//a.b/%C3%BC%231%3F.png",
    )

  @parameterized.named_parameters(
    ("score", {"score": 1.5}, "score"),
    ("class", {"given": 5}, "one of 5 classes"),
    ("same_id", {"id": "train/000003.png"}, "all be different"),
    ("no_unicode", {"id": "\udcff.png"}, "valid Unicode"),
  )
  def test_refuses_a_suspect(self, changed, message):
    data = make_page_data()
    data.suspects[0].update(changed)
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      page.write(self.folder, data)

  @parameterized.named_parameters(
    ("threshold", {"threshold": 2.0}, "threshold"),
    ("scores", {"scores": np.array([0.5, np.nan])}, "Scores must be"),
    ("matrix", {"transition": np.eye(4)}, "5x5"),
    ("classes", {"class_names": ("a",) * 5}, "all be different"),
    ("too_many", {"suspects": make_page_data(10_001, 20_000).suspects}, "most"),
  )
  def test_refuses(self, changed, message):
    data = dataclasses.replace(make_page_data(), **changed)
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      page.write(self.folder, data)
    self.assertFalse((self.folder / "index.html").exists())


@unittest.skipUnless(
  CHROMIUM.exists() and CHROMEDRIVER.exists(),
  "needs a browser (Debian: apt-get install -y chromium chromium-driver)",
)
class BrowserTest(parameterized.TestCase):
  """The page in a browser, one for all tests; each begins undecided."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = pathlib.Path(cls.enter_context(tempfile.TemporaryDirectory()))
    cls.downloads = cls.folder / "downloads"
    cls.page_data = make_page_data()
    write_page(cls.folder / "audit", cls.page_data)
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
      "headless=new",
      "no-sandbox",
      "disable-gpu",
      "disable-dev-shm-usage",
      "disable-quic",
      "no-first-run",
      "disable-background-networking",
      "disable-component-update",
      "disable-sync",
      f"user-data-dir={cls.folder / 'profile'}",
    ):
      options.add_argument(f"--{argument}")
    options.add_experimental_option(
      "prefs", {"download.default_directory": str(cls.downloads)}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    cls.browser = webdriver.Chrome(
      options, webdriver.ChromeService(str(CHROMEDRIVER))
    )
    cls.addClassCleanup(cls.browser.quit)

  def setUp(self):
    super().setUp()
    self.resize(1280, 900)
    self.open(self.folder / "audit")
    if self.script("return localStorage.length"):
      self.script("localStorage.clear()")
      self.reload()

  def tearDown(self):
    logged = [
      entry["message"]
      for entry in self.browser.get_log("browser")
      if entry["level"] == "SEVERE"
    ]
    self.assertEmpty(logged)
    self.assertIsNone(self.script("return window.hacked"))
    super().tearDown()

  # What the tests do and see.

  def script(self, text, *arguments):
    return self.browser.execute_script(text, *arguments)

  def wait(self, condition):
    """Waits until a function of nothing returns something true."""
    return WebDriverWait(self.browser, 20, 0.02).until(lambda _: condition())

  def wait_until_ready(self):
    self.wait(
      lambda: self.script("return document.documentElement.dataset.ready")
    )

  def open(self, folder):
    self.browser.get((folder / "index.html").as_uri())
    self.wait_until_ready()

  def reload(self):
    self.browser.refresh()
    self.wait_until_ready()

  def resize(self, width, height):
    self.browser.execute_cdp_cmd(
      "Emulation.setDeviceMetricsOverride",
      {
        "width": width,
        "height": height,
        "deviceScaleFactor": 1,
        "mobile": width < 500,
      },
    )

  def find(self, css):
    return self.browser.find_element(By.CSS_SELECTOR, css)

  def find_all(self, css):
    return self.browser.find_elements(By.CSS_SELECTOR, css)

  def card(self, place, css=""):
    return self.find(f"#grid > li:nth-child({place + 1}) .card {css}")

  def press(self, *keys):
    for key in keys:
      self.browser.switch_to.active_element.send_keys(key)

  def click(self, place, decision):
    self.card(place, f"[data-decision={decision}]").click()

  def text(self, css):
    return self.find(css).text

  def verdict(self, place):
    return self.card(place, ".verdict").text

  def focused_id(self):
    focused = self.browser.switch_to.active_element
    return focused.find_element(By.CSS_SELECTOR, "img").get_attribute("alt")

  def shown_ids(self):
    return self.script(
      "return [...document.querySelectorAll('#grid img')].map(x => x.alt)"
    )

  def wanted_ids(self, condition=lambda suspect: True, threshold=None):
    if threshold is None:
      threshold = self.page_data.threshold
    return [
      suspect["id"]
      for suspect in self.page_data.suspects
      if suspect["score"] >= threshold and condition(suspect)
    ]

  def num_columns(self):
    columns = self.find("#grid").value_of_css_property("grid-template-columns")
    return len(columns.split(" "))

  def move_slider(self, position):
    self.script(
      """
      const slider = document.getElementById("threshold");
      slider.value = arguments[0];
      slider.dispatchEvent(new Event("input"));
      """,
      position,
    )

  def save(self):
    """Returns the rows of the file that the button saves, and its bytes."""
    path = self.downloads / "decisions.csv"
    path.unlink(missing_ok=True)
    self.find("#save").click()
    self.wait(path.exists)
    with open(path, encoding="utf-8", newline="") as file:
      return list(csv.reader(file)), path.read_bytes()

  def violations(self):
    """What axe has found that is serious or critical."""
    package = pathlib.Path(axe_core_python.__file__).parent
    self.script((package / "axe.min.js").read_text(encoding="utf-8"))
    results = self.browser.execute_async_script(
      "axe.run({resultTypes: ['violations']}).then(arguments[0])"
    )
    return [
      (found["id"], [node["target"] for node in found["nodes"]][:3])
      for found in results["violations"]
      if found["impact"] in ("serious", "critical")
    ]

  # The tests.

  def test_shows_what_is_suspicious(self):
    self.assertEqual(self.shown_ids(), self.wanted_ids())
    self.assertLen(self.shown_ids(), 20)
    self.assertEqual(self.text("h1"), "Label audit runs/<digits> & co")
    self.assertIn("Class <i>cat</i> has", self.text(".warnings"))
    self.assertIn("20.0 to 22.6 %", self.text(".figures"))
    self.assertEqual(self.text("#command"), self.page_data.command)
    self.assertEqual(self.card(2, ".given").text, CLASS_NAMES[2])
    self.assertEqual(self.card(2, ".suggested").text, CLASS_NAMES[3])
    self.assertEqual(self.card(0, ".disagreement").text, "0.25")
    self.assertEqual(self.card(0, ".rank").text, "#1")
    self.assertEqual(self.card(1, ".rank").text, "#2 test")
    self.assertEmpty(self.find_all("#grid script, #grid dd b b"))
    self.assertEqual(self.text("#progress"), "0 of 20 decided")
    self.wait(
      lambda: self.script(
        "return document.querySelector('#grid img').naturalWidth"
      )
    )

  def test_the_slider_counts_all_examples(self):
    thresholds = read_data(self.folder / "audit")["thresholds"]
    scores = self.page_data.scores
    for position in (0, 137, 500, 950, 1001):
      self.move_slider(position)
      number = np.sum(scores >= thresholds[position])
      self.assertIn(f"flags {number:,} of 1,000", self.text("#flagged"))
      wanted = self.wanted_ids(threshold=thresholds[position])
      self.wait(lambda wanted=wanted: self.shown_ids() == wanted)
      here = f"; {len(wanted)} of them are on this page"
      self.assertEqual(here in self.text("#flagged"), number > len(wanted))
    self.move_slider(500)
    self.find("#threshold").send_keys(Keys.ARROW_RIGHT)
    number = np.sum(scores >= thresholds[501])
    self.assertIn(
      f"flags {number:,} of",
      self.find("#threshold").get_attribute("aria-valuetext"),
    )

  def test_filters(self):
    Select(self.find("#given")).select_by_visible_text("cat")
    self.assertEqual(
      self.shown_ids(), self.wanted_ids(lambda x: x["given"] == 0)
    )
    Select(self.find("#suggested")).select_by_index(3)
    self.assertEmpty(self.shown_ids())
    self.assertIn("No picture matches", self.text("#empty"))
    Select(self.find("#pair")).select_by_value("1,2")
    self.assertEqual(
      self.shown_ids(), self.wanted_ids(lambda x: x["given"] == 1)
    )
    self.assertEqual(self.text("#shown"), "7 pictures shown")
    self.click(0, "keep")
    Select(self.find("#show")).select_by_value("undecided")
    self.assertLen(self.shown_ids(), 6)
    Select(self.find("#show")).select_by_value("decided")
    self.assertLen(self.shown_ids(), 1)
    self.find("#clear").click()
    self.assertLen(self.shown_ids(), 20)

  def test_a_cell_of_the_matrix_shows_its_pair(self):
    # The row is the true class, so what is suggested.
    cell = self.find("#matrix tbody tr:nth-child(3) td:nth-of-type(2) button")
    self.assertEqual(cell.text, "5.0")
    self.assertEqual(
      cell.accessible_name,
      f"{CLASS_NAMES[2]} given as {CLASS_NAMES[1]}: 5.0\u00a0%",
    )
    cell.click()
    self.assertEqual(
      self.shown_ids(), self.wanted_ids(lambda x: x["given"] == 1)
    )
    self.assertEqual(cell.get_attribute("aria-pressed"), "true")
    self.assertEqual(self.find("#pair").get_attribute("value"), "1,2")
    self.assertIn(
      "(between 0.0 % and 10.0 %), 10 pictures", self.text("#cell-note")
    )
    cell.click()
    self.assertLen(self.shown_ids(), 20)

  def test_clicks_decide(self):
    self.click(0, "keep")
    self.click(1, "relabel")
    self.click(2, "drop")
    self.assertEqual(
      [self.verdict(i) for i in range(4)],
      ["kept", f"relabelled {CLASS_NAMES[2]}", "dropped", ""],
    )
    self.assertEqual(self.text("#progress"), "3 of 20 decided")
    self.click(0, "drop")  # Another decision,
    self.click(2, "drop")  # and one taken back.
    self.assertEqual(
      [self.verdict(i) for i in range(3)],
      ["dropped", f"relabelled {CLASS_NAMES[2]}", ""],
    )
    self.find("#undo").click()
    self.assertEqual(self.verdict(2), "dropped")
    self.find("#undo").click()
    self.assertEqual(self.verdict(0), "kept")

  def test_a_select_relabels(self):
    other = self.card(4, ".other")
    other.click()
    Select(other).select_by_visible_text(CLASS_NAMES[4])
    self.assertEqual(self.verdict(4), f"relabelled {CLASS_NAMES[4]}")
    self.reload()
    self.assertEqual(self.verdict(4), f"relabelled {CLASS_NAMES[4]}")
    self.assertEqual(self.card(4, ".other").get_attribute("value"), "4")
    self.click(4, "relabel")
    self.assertEqual(self.verdict(4), f"relabelled {CLASS_NAMES[2]}")
    self.assertEqual(self.card(4, ".other").get_attribute("value"), "")

  def test_keys_alone_are_enough(self):
    ids = self.wanted_ids()
    self.press(Keys.TAB, Keys.ENTER, Keys.TAB)  # Past all else, by the link.
    for _ in range(12):
      if self.script("return !!document.activeElement.closest('#grid')"):
        break
      self.press(Keys.TAB)
    self.assertEqual(self.focused_id(), ids[0])
    self.press("k", "r", "D", Keys.ENTER, Keys.ARROW_RIGHT)
    self.assertEqual(self.focused_id(), ids[5])
    self.assertEqual(
      [self.verdict(i) for i in range(6)],
      [
        "kept",
        f"relabelled {CLASS_NAMES[2]}",
        "dropped",
        f"relabelled {CLASS_NAMES[1]}",
        "",
        "",
      ],
    )
    self.press("u")
    self.assertEqual(self.focused_id(), ids[3])
    self.assertEqual(self.verdict(3), "")
    self.press("u")
    self.assertEqual(self.focused_id(), ids[2])
    self.press(Keys.ARROW_DOWN, Keys.ARROW_LEFT)
    self.assertEqual(self.focused_id(), ids[1 + self.num_columns()])
    self.press(Keys.ARROW_UP)
    self.assertEqual(self.focused_id(), ids[1])
    # Its own buttons, which are those of no other card.
    self.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    self.assertEqual(self.verdict(1), "dropped")
    self.press(Keys.ESCAPE)
    self.assertEqual(self.focused_id(), ids[1])
    self.press(*[Keys.TAB] * 5)
    self.assertFalse(
      self.script("return !!document.activeElement.closest('#grid')")
    )
    # With a modifier a key is the browser's.
    self.script("document.querySelector('.card').focus()")
    self.press(Keys.CONTROL + "d")
    self.assertEqual(self.verdict(0), "kept")

  def test_the_command_is_copied_or_marked(self):
    self.find("#copy").click()
    self.wait(lambda: re.match("Copied|Marked", self.text("#copy")))
    if self.text("#copy").startswith("Marked"):
      self.assertEqual(
        self.script("return getSelection().toString()"), self.page_data.command
      )

  def test_keys_move_in_the_matrix(self):
    cell = self.find("#matrix td button")
    self.script("arguments[0].focus()", cell)
    self.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ENTER)
    self.assertEqual(self.find("#given").get_attribute("value"), "1")
    self.assertEqual(self.find("#suggested").get_attribute("value"), "2")
    self.assertLen(self.find_all("#matrix [tabindex='0']"), 1)

  def test_decisions_survive_and_are_saved(self):
    self.assertFalse(self.find("#save").is_enabled())
    wanted = [["id", "decision", "label"]]
    for i, suspect in enumerate(self.page_data.suspects[:15]):
      decision = ("relabel", "keep", "drop")[i % 3]
      self.click(i, decision)
      label = CLASS_NAMES[suspect["suggested"]]
      wanted.append(
        [suspect["id"], decision, label if decision == "relabel" else ""]
      )
    self.reload()
    self.assertEqual(self.text("#progress"), "15 of 20 decided")
    rows, content = self.save()
    self.assertEqual(rows, wanted)
    self.assertTrue(content.startswith(b"id,decision,label\n"))
    self.assertTrue(content.endswith(b",drop,\n"))
    # Another audit begins empty, and leaves this one's alone.
    page.write(
      self.folder / "other", dataclasses.replace(self.page_data, title="x")
    )
    (self.folder / "other" / "thumbnails").symlink_to(
      self.folder / "audit" / "thumbnails"
    )
    self.open(self.folder / "other")
    self.assertEqual(self.text("#progress"), "0 of 20 decided")
    # What was saved can be loaded.
    self.find("#load").send_keys(str(self.downloads / "decisions.csv"))
    self.wait(lambda: self.text("#progress") == "15 of 20 decided")
    self.assertEqual(
      self.text("#said"), "decisions.csv: 15 rows read, 15 decisions loaded."
    )
    self.assertEqual(self.save()[1], content)

  def test_shows_what_another_tab_decides(self):
    self.script(
      """
      const key = `label-audit.${auditData.fingerprint}`;
      const decided = JSON.stringify([[auditData.suspects.id[3], "keep", ""]]);
      localStorage.setItem(key, decided);
      dispatchEvent(new StorageEvent("storage", {key}));
      """
    )
    self.assertEqual(self.verdict(3), "kept")
    self.assertEqual(self.text("#progress"), "1 of 20 decided")

  def load(self, text):
    """Loads a file of this text."""
    path = self.folder / "loaded.csv"
    path.write_text(text, encoding="utf-8", newline="")
    self.find("#load").send_keys(str(path))
    self.wait(lambda: "loaded" in self.text("#said"))

  def test_what_is_loaded_is_merged_and_undone_at_once(self):
    for place in (0, 1, 5):
      self.click(place, "keep")
    self.load(
      "\ufeffnote,id,decision,label\r\n,nobody,keep,\r\n"
      ",__proto__,relabel,cow\r\n"
      f',"{HOSTILE_IDS[0].replace(chr(34), chr(34) * 2)}",drop,\r\n\r\n'
      f",{HOSTILE_IDS[1]},relabel,{CLASS_NAMES[0]}\r\n"
      f",{HOSTILE_IDS[1]},relabel,{CLASS_NAMES[3]}\r\n,__proto__,drop,"
    )
    self.assertEqual(
      self.text("#said"),
      "loaded.csv: 6 rows read, 4 decisions loaded; 2 left out, with a "
      "picture, decision or class that this page does not have.",
    )
    verdicts = [self.verdict(place) for place in range(6)]
    self.assertEqual(
      verdicts,
      ["dropped", f"relabelled {CLASS_NAMES[3]}", "", "", "", "dropped"],
    )
    self.find("#undo").click()
    self.assertEqual(self.text("#said"), "Undone: 4 decisions.")
    verdicts = [self.verdict(place) for place in range(6)]
    self.assertEqual(verdicts, ["kept", "kept", "", "", "", "kept"])

  @parameterized.named_parameters(
    (
      "columns",
      "id,label\n1,cat\n",
      "must have the columns id, decision, label",
    ),
    ("nothing", "", "must have the columns id, decision, label"),
    ("quotes", 'id,decision,label\n"1,keep,\n', "is no CSV file"),
    (
      "short",
      "id,decision,label\n1,keep,\n\n__proto__,drop",
      "must have 3 values in row 4",
    ),
  )
  def test_a_bad_file_changes_nothing(self, text, message):
    self.click(0, "keep")
    self.load(text)
    self.assertRegex(
      self.text("#said"), f"^loaded.csv {message}.*: nothing was loaded.$"
    )
    self.assertEqual(self.text("#progress"), "1 of 20 decided")
    self.find("#undo").click()
    self.assertEqual(self.text("#progress"), "0 of 20 decided")

  def drop_files(self, *texts):
    self.script(
      """
      const dataTransfer = new DataTransfer();
      for (const text of arguments) {
        dataTransfer.items.add(new File([text], "dropped.csv"));
      }
      for (const kind of ["dragover", "drop"]) {
        document.querySelector("#grid").dispatchEvent(
          new DragEvent(kind, {dataTransfer, bubbles: true}),
        );
      }
      """,
      *texts,
    )
    self.wait(lambda: "loaded" in self.text("#said"))

  def test_a_file_is_dropped(self):
    text = "id,decision,label\n__proto__,drop,\n"
    self.drop_files(text, text)
    self.assertIn("one file at a time", self.text("#said"))
    self.drop_files(text)
    self.assertEqual(
      self.text("#said"), "dropped.csv: 1 row read, 1 decision loaded."
    )
    self.assertEqual(self.verdict(5), "dropped")

  def test_all_that_is_shown_is_accepted_and_undone_at_once(self):
    self.click(1, "keep")
    Select(self.find("#given")).select_by_index(1)
    self.assertEqual(self.text("#accept"), "Accept all 7 shown")
    self.find("#accept").click()
    self.assertIn("7 pictures relabelled as suggested", self.text("#said"))
    self.assertFalse(self.find("#accept").is_enabled())
    self.find("#clear").click()
    self.assertEqual(self.text("#progress"), "8 of 20 decided")
    self.assertEqual(self.text("#accept"), "Accept all 12 shown")
    self.script("document.querySelector('.card').focus()")
    self.press("a")  # Alone it is too easily pressed.
    self.assertEqual(self.text("#progress"), "8 of 20 decided")
    self.press(Keys.SHIFT + "A")
    self.assertEqual(self.text("#progress"), "20 of 20 decided")
    self.assertEqual(self.verdict(1), "kept")
    rows, _ = self.save()
    self.assertLen(rows, 21)
    self.script("document.querySelector('.card').focus()")
    self.press("u")
    self.assertEqual(self.text("#said"), "Undone: 12 decisions.")
    self.assertEqual(self.text("#progress"), "8 of 20 decided")
    self.press("u", "u")
    self.assertEqual(self.text("#progress"), "0 of 20 decided")
    self.assertFalse(self.find("#undo").is_enabled())

  def test_messages_go_and_errors_stay_until_something_is_done(self):
    added = self.browser.execute_cdp_cmd(
      "Page.addScriptToEvaluateOnNewDocument",
      {
        "source": "const wait = setTimeout; window.setTimeout = "
        "(call, time) => wait(call, time / 50);"
      },
    )
    try:
      self.reload()
      height = self.find("main").size["height"]
      self.load("id,decision,label\n__proto__,drop,\n")
      self.assertEqual(self.find("main").size["height"], height)
      self.wait(lambda: not self.find("#said").is_displayed())
      self.load("")
      self.script("return new Promise(end => setTimeout(end, 10000))")
      self.assertIn("nothing was loaded", self.text("#said"))
      self.click(0, "keep")
      self.assertFalse(self.find("#said").is_displayed())
    finally:
      self.browser.execute_cdp_cmd(
        "Page.removeScriptToEvaluateOnNewDocument", added
      )

  def test_says_that_nothing_is_kept(self):
    added = self.browser.execute_cdp_cmd(
      "Page.addScriptToEvaluateOnNewDocument",
      {
        "source": "Object.defineProperty(window, 'localStorage', "
        "{get() { throw new Error('no storage'); }})"
      },
    )
    try:
      self.reload()
      self.assertIn("keeps no decisions", self.text("#storage-warning"))
      self.click(0, "keep")
      self.assertEqual(self.verdict(0), "kept")
      rows, _ = self.save()
      self.assertEqual(rows[1:], [[HOSTILE_IDS[0], "keep", ""]])
    finally:
      self.browser.execute_cdp_cmd(
        "Page.removeScriptToEvaluateOnNewDocument", added
      )

  @long_tests.only
  def test_ten_thousand_suspects(self):
    names = tuple(f"class {i}" for i in range(100))
    folder = self.folder / "large"
    data = make_page_data(10_000, 50_000, names)
    write_page(folder, dataclasses.replace(data, threshold=0.0))
    self.open(folder)
    self.assertEqual(self.text("#shown"), "10,000 pictures shown")
    self.assertLess(len(self.find_all(".card")), 200)
    loaded = "return [...document.images].filter(x => x.naturalWidth).length"
    self.wait(lambda: self.script(loaded))
    self.assertLess(self.script(loaded), 100)
    self.click(1, "drop")
    self.click(2, "keep")
    num_items = "return document.getElementById('grid').children.length"
    before = self.script(num_items)
    self.script("document.getElementById('more').scrollIntoView()")
    self.wait(lambda: self.script(num_items) > before)
    # Cards that are far away are taken out, and come back in time.
    self.script(
      "for (let i = 0; i < 8; i++) document.getElementById('more').click()"
    )
    self.assertGreater(self.script(num_items), 300)
    self.script("document.getElementById('more').scrollIntoView()")
    second = "#grid > li:nth-child(2) .card"
    self.wait(lambda: not self.find_all(second))
    self.wait(lambda: len(self.find_all(".card")) < 200)
    self.script("scrollTo(0, 0)")
    self.wait(lambda: self.find_all(second))
    self.assertEqual(self.verdict(1), "dropped")
    # Each card's select gets its hundred classes when it is used.
    self.assertLess(len(self.find_all("#grid option")), 1000)
    self.script("document.querySelector('.card').focus()")
    self.press(*[Keys.ARROW_DOWN] * 20)
    self.assertEqual(
      self.focused_id(), data.suspects[20 * self.num_columns()]["id"]
    )
    Select(self.find("#pair")).select_by_value("1,2")
    self.assertEqual(self.text("#shown"), "3,333 pictures shown")
    self.assertLess(len(self.find_all(".card")), 200)

  @parameterized.named_parameters(
    ("phone", 375, 800),
    *long_tests.also(("desktop", 1280, 900), ("dark", 1280, 900, "dark")),
  )
  def test_is_accessible(self, width, height, scheme="light"):
    self.resize(width, height)
    self.browser.execute_cdp_cmd(
      "Emulation.setEmulatedMedia",
      {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    self.reload()
    self.script(
      "document.querySelectorAll('details').forEach(x => { x.open = true; })"
    )
    for i, decision in enumerate(("keep", "relabel", "drop")):
      self.click(i, decision)
    self.assertEmpty(self.violations())
    self.assertLessEqual(
      self.script("return document.documentElement.scrollWidth"), width
    )
    self.assertEqual(
      self.script("return matchMedia('(prefers-color-scheme: dark)').matches"),
      scheme == "dark",
    )

  @parameterized.named_parameters(("desktop", 1280), ("phone", 390))
  def test_long_names_push_nothing_out(self, width):
    names = ("long_" * 30, "many words and " * 10, "long name " * 20, "d")
    data = make_page_data(10, names=names)
    data.suspects[1]["id"] = "folder/" * 40 + "x.png"
    folder = self.folder / f"long{width}"
    write_page(
      folder,
      dataclasses.replace(
        data,
        title="title_" * 30,
        command=f"train --flagfile={'runs/' * 30}flags.txt",
        warnings=("warning/" * 30,),
        threshold=0.0,
      ),
    )
    self.resize(width, 900)
    self.open(folder)
    self.script(
      "document.querySelectorAll('details').forEach(x => { x.open = true; })"
    )
    self.click(0, "relabel")
    outside = self.script(
      """
      const right = document.documentElement.clientWidth;
      return [...document.querySelectorAll("body *")].filter((element) =>
        !element.closest(".scroller") &&
        element.getBoundingClientRect().right > right + 1
      ).map((element) => element.outerHTML);
      """
    )
    self.assertEmpty(outside)
    self.assertEqual(self.card(0, ".given-probability").text, "0.05")
    for css in ("dd:has(b)", ".id", ".verdict"):
      self.assertNotEmpty(self.card(0, css).get_attribute("title"))

  def test_on_a_phone_pictures_come_soon(self):
    self.resize(375, 800)
    self.reload()
    self.assertLess(self.find("#grid").location["y"], 1200)
    for button in self.find_all(".card:first-child .actions button")[:3]:
      self.assertGreaterEqual(button.size["height"], 30)


if __name__ == "__main__":
  absltest.main()
