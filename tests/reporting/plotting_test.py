import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
from matplotlib import colors, figure, image
import numpy as np

from nct_tf import methods
from nct_tf.reporting import plotting
from nct_tf.workdir import layout


def write_run(folder, method, columns):
  folder.mkdir()
  (folder / "result.json").write_text(
    json.dumps(
      {
        "method": method,
        "dataset": "digits",
        "noise_type": "symmetric_inclusive",
        "noise_rate": 0.5,
        "actual_noise_rate": 0.45,
      }
    )
  )
  rows = ["epoch," + ",".join(columns)]
  rows += [f"{i}" + f",{0.1 * i}" * len(columns) for i in range(9)]
  (folder / "history.csv").write_text("\n".join([*rows, ""]))
  run = layout.Workdir(folder)
  return method, run.read_result(), run.read_history()


def count_pixels(picture, color):
  distance = np.abs(picture[..., :3] - np.array(colors.to_rgb(color))).max(-1)
  return np.sum(distance < 0.02)


class PlotMemorisationTest(parameterized.TestCase):
  COLUMNS = tuple(
    f"train_{quantity}_{part}"
    for quantity in ("loss", "accuracy")
    for part in ("clean", "noisy")
  )

  @parameterized.named_parameters(
    ("one_run", ["nct"]), ("two_runs", ["standard", "nct"])
  )
  def test_draws_both_curves_of_each_run(self, methods):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    runs = [
      write_run(folder / method, method, self.COLUMNS) for method in methods
    ]
    plotting.plot_memorisation(runs, folder / "figure.png")
    picture = image.imread(folder / "figure.png")
    self.assertGreater(picture.shape[1], 600 * len(methods))
    for column in np.array_split(picture, len(methods), axis=1):
      for color in ("#0072B2", "#D55E00"):
        self.assertGreater(count_pixels(column, color), 500)

  def test_many_runs_have_small_panels_of_the_accuracy(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    names = [f"run{number}" for number in range(11)]
    runs = [write_run(folder / name, "nct", self.COLUMNS) for name in names]
    plotting.plot_memorisation(runs, folder / "figure.png")
    picture = image.imread(folder / "figure.png")
    self.assertBetween(picture.shape[1], 1500, 2000)
    # Below the title, three rows of five: of the last one there is one panel.
    bounds = np.linspace(100, 880, 4).astype(int)
    for row, num_panels in zip(range(3), (5, 5, 1), strict=True):
      part = picture[bounds[row] : bounds[row + 1]]
      columns = np.array_split(part[:, 100:], 5, axis=1)
      drawn = [count_pixels(column, "#0072B2") > 100 for column in columns]
      self.assertEqual(sum(drawn), num_panels)

  def test_a_run_without_the_monitor_has_empty_axes(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    run = write_run(folder / "run", "nct", ("loss",))
    plotting.plot_memorisation([run], folder / "figure.png")
    self.assertTrue((folder / "figure.png").exists())


def measured(method, error=0.2, rate=0.2):
  """Returns a made-up dict of `information_compression.measure`."""
  return {
    "method": method,
    "noise_type": "symmetric_inclusive",
    "noise_rate": rate,
    "training_error": [0.5, error],
    "training_error_standardised": [0.5, 0.4 - error],
  }


class PlotCompressionTest(absltest.TestCase):
  def draw(self, names):
    """Draws methods; returns the `matplotlib` figure, and checks its file."""
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    with mock.patch.object(
      figure.Figure,
      "savefig",
      autospec=True,
      side_effect=figure.Figure.savefig,
    ) as save:
      plotting.plot_compression(
        [
          measured(name, 0.01 * number, rate)
          for number, name in enumerate(names)
          for rate in (0.0, 0.2, 0.5)
        ],
        folder / "figure.png",
      )
    self.assertTrue((folder / "figure.png").exists())
    (canvas, _), _ = save.call_args
    return canvas

  def test_all_registered_methods_are_named_by_their_titles(self):
    canvas = self.draw(methods.names())
    legends = [*canvas.legends, canvas.axes[0].get_legend()]
    (legend,) = filter(None, legends)
    texts = [text.get_text() for text in legend.get_texts()]
    self.assertEqual(
      texts, [methods.get_options(name).TITLE for name in methods.names()]
    )

  def test_any_number_of_methods_is_told_apart(self):
    names = [*methods.names(), *(f"another_{n}" for n in range(20))]
    canvas = self.draw(names)
    (legend,) = canvas.legends
    self.assertLen(legend.get_texts(), len(names))
    for ax in canvas.axes:
      marks = [
        (container.lines[0].get_color(), container.lines[0].get_marker())
        for container in ax.containers
      ]
      self.assertLen(set(marks), len(names))
    # The legend covers nothing, and nothing of it is cut off.
    box = legend.get_window_extent()
    for ax in canvas.axes:
      self.assertFalse(box.overlaps(ax.get_tightbbox()))
    self.assertTrue(canvas.bbox.containsx(box.x0), box)
    self.assertTrue(canvas.bbox.containsx(box.x1), box)
    self.assertTrue(canvas.bbox.containsy(box.y0), box)

  def test_a_method_looks_alike_in_every_figure(self):
    for names in (["nct"], ["standard", "nct"], methods.names()):
      canvas = self.draw(names)
      for name, container in zip(names, canvas.axes[0].containers, strict=True):
        color, marker = {
          "nct": ("#0072B2", "o"),
          "standard": ("#D55E00", "s"),
        }.get(name, (None, None))
        if color:
          self.assertEqual(container.lines[0].get_color(), color)
          self.assertEqual(container.lines[0].get_marker(), marker)

  def test_higher_errors_stand_higher_in_each_half(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    measurements = [
      measured(method, error + 0.01 * seed, rate)
      for method, error in (("standard", 0.1), ("nct", 0.3))
      for rate in (0.0, 0.2, 0.5)
      for seed in range(3)
    ]
    plotting.plot_compression(measurements, folder / "figure.png")
    picture = image.imread(folder / "figure.png")
    left, right = np.array_split(picture, 2, axis=1)
    self.assertLess(median_row(left, "#0072B2"), median_row(left, "#D55E00"))
    self.assertGreater(
      median_row(right, "#0072B2"), median_row(right, "#D55E00")
    )


def median_row(picture, color):
  """Returns how far down the pixels of a color stand."""
  distance = np.abs(picture[..., :3] - np.array(colors.to_rgb(color))).max(-1)
  return np.median(np.nonzero(distance < 0.02)[0])


class PlotSchedulesTest(absltest.TestCase):
  def test_draws_each_setting(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    plotting.plot_schedules(folder / "figure.png")
    halves = np.array_split(image.imread(folder / "figure.png"), 2, axis=1)
    for half in halves:
      for color in ("#0072B2", "#D55E00", "#009E73"):
        self.assertGreater(count_pixels(half, color), 300)


if __name__ == "__main__":
  absltest.main()
