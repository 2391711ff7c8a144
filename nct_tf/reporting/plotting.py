"""Figures of runs, from their files."""

import dataclasses
import itertools
import math
import pathlib

from matplotlib import figure, ticker
import numpy as np

from nct_tf import errors, methods, schedules
from nct_tf.reporting import wrapping

# The palette of Okabe and Ito, which the colour-blind can tell apart; without
# its yellow, which is too faint on white. Line styles and markers differ too,
# for who prints without colour.
_COLORS = (
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#000000",
)
# Their number has no divisor in common with the number of colours. So a pair
# of both returns only after all pairs have been used.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_PARTS = {
  "clean": {"color": "#0072B2", "linestyle": "-", "label": "clean labels"},
  "noisy": {"color": "#D55E00", "linestyle": "--", "label": "wrong labels"},
}
_SETTINGS = (
  {"color": "#0072B2", "linestyle": "-"},
  {"color": "#D55E00", "linestyle": "--"},
  {"color": "#009E73", "linestyle": "-."},
  {"color": "#000000", "linestyle": ":"},
)
_QUANTITIES = {
  "loss": "cross entropy (nats)",
  "accuracy": "accuracy on given labels",
}
_MAX_COLUMNS = 5
_RANKING_COLUMNS = 3
# At the size of titles, 10 points.
_CHARACTERS_PER_INCH = 12
_LEGEND_COLUMNS = 3  # Below the axes.
_LEGEND_ROW_INCHES = 0.21


@dataclasses.dataclass(frozen=True)
class _Panels:
  """What is drawn of each run, one below the other.

  Attributes:
    quantities: sequence of keys of `_QUANTITIES`.
    width: float, of a panel, in inches.
    height: float, likewise.
  """

  quantities: tuple
  width: float
  height: float


_PANELS = _Panels(("loss", "accuracy"), 3.6, 2.6)
_SMALL_PANELS = _Panels(("accuracy",), 2.2, 1.7)
_MANY_RUNS = 10  # More of them have small panels.


def plot_memorisation(runs, path):
  """Draws Figure 1 of the paper for one or more runs, five side by side.

  The upper row shows the mean cross entropy of the ensemble on the training
  examples, those with clean and those with wrong labels apart. It is measured
  against the given labels. The lower row shows the accuracy in the same way. A
  run in which neither was measured has empty axes. More runs have such a pair
  of rows each five; more than ten have the accuracy alone.

  Args:
    runs: sequence of triples: the run's name; dict, of `result.json`; dict, of
      `Workdir.read_history`.
    path: str or path of the PNG file.
  """
  panels = _PANELS if len(runs) <= _MANY_RUNS else _SMALL_PANELS
  quantities = panels.quantities
  num_columns = min(len(runs), _MAX_COLUMNS)
  num_rows = -(-len(runs) // num_columns)
  width = 1 + panels.width * num_columns
  size = (width, 0.4 + panels.height * len(quantities) * num_rows)
  canvas = figure.Figure(figsize=size, dpi=150, layout="constrained")
  axes = canvas.subplots(
    len(quantities) * num_rows, num_columns, squeeze=False
  ).reshape(num_rows, len(quantities), num_columns)
  is_alike = len({_describe(result) for _, result, _ in runs}) == 1
  for number, (name, result, history) in enumerate(runs):
    row, column = divmod(number, num_columns)
    own = axes[row, :, column]
    _plot_run(dict(zip(quantities, own, strict=True)), result, history)
    title = _title(result["method"])
    if len(runs) > 1:
      title += f"\n{name}"
    if not is_alike:
      title += f"\n{_describe(result)}"
    own[0].set_title(_fit(title, panels.width), fontsize=10)
  for number, quantity in enumerate(quantities):
    _align(axes[:, number], quantity, len(runs))
    if panels is _SMALL_PANELS:
      canvas.supylabel(_QUANTITIES[quantity], fontsize=10)
    else:
      for ax in axes[:, number, 0]:
        ax.set_ylabel(_QUANTITIES[quantity])
  if is_alike:
    canvas.suptitle(_fit(_describe(runs[0][1]), width), fontsize=10)
  # A run without wrong labels, or without a monitor, has fewer curves.
  handles = {
    label: handle
    for ax in axes.ravel()
    for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
  }
  canvas.legend(
    handles.values(),
    handles,
    loc="outside lower center",
    ncols=2,
    frameon=False,
    fontsize=10,
  )
  _save(canvas, path)


def _align(axes, quantity, num_runs):
  """Gives the axes of a quantity the same limits, and the outer ones labels.

  Args:
    axes: array of axes [num_rows, num_columns].
    quantity: key of `_QUANTITIES`; the accuracy is the lowest of a run.
    num_runs: int; the axes behind those are switched off.
  """
  num_columns = axes.shape[1]
  highest = max(ax.get_ylim()[1] for ax in axes.ravel()[:num_runs])
  for number, ax in enumerate(axes.ravel()):
    is_outer = number + num_columns >= num_runs  # Nothing is below it.
    if quantity == "loss":
      ax.set_ylim(-0.02 * highest, highest)
      ax.tick_params(labelbottom=False)
    else:
      ax.set_ylim(-0.02, 1.02)
      ax.yaxis.set_major_formatter(ticker.PercentFormatter(1))
      ax.tick_params(labelbottom=is_outer)
      ax.set_xlabel("epoch" if is_outer else "")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(nbins=6, integer=True))
    ax.tick_params(labelleft=number % num_columns == 0)
  for ax in axes.ravel()[num_runs:]:
    ax.set_axis_off()


def plot_schedules(path):
  """Draws the schedules of Figure 2 of the paper, for several settings.

  Args:
    path: str or path of the PNG file.
  """
  num_epochs = 200  # Of a training; the paper's.
  canvas = figure.Figure(figsize=(8.2, 3.4), dpi=150)
  alpha_axes, rate_axes = canvas.subplots(1, 2)
  epochs = np.arange(num_epochs)
  rampup_epochs = schedules.default_rampup_epochs(num_epochs)
  for style, steepness in zip(_SETTINGS, (0.65, 2.0, 5.0), strict=False):
    alpha_axes.plot(
      epochs,
      [schedules.sigmoid_rampup(e, rampup_epochs, steepness) for e in epochs],
      label=f"steepness {steepness}",
      **style,
    )
  for style, max_value in zip(_SETTINGS, (0.1, 0.3, 0.5, 0.7), strict=True):
    rate_axes.plot(
      epochs,
      [
        schedules.log_rampup(e, num_epochs, max_value=max_value) for e in epochs
      ],
      label=f"maximum {max_value}",
      **style,
    )
  alpha_axes.set_ylabel("alpha, the weight of mimicry")
  rate_axes.set_ylabel("target variability rate")
  for ax in (alpha_axes, rate_axes):
    ax.set_xlabel("epoch")
    ax.set_ylim(-0.02, 1.0)
    ax.legend(frameon=False, fontsize=9)
    _tidy(ax)
  canvas.tight_layout()
  _save(canvas, path)


def plot_compression(measurements, path):
  """Draws Figure 3 of the paper, and beside it the same for scaled features.

  A perceptron was trained on frozen features to reproduce random labels. The
  figure shows the share of them that it does not reproduce after its last
  epoch, for each label noise: mean and sample standard deviation over the runs.

  Args:
    measurements: sequence of dicts of `information_compression.measure`.
    path: str or path of the PNG file.
  """
  noises = list(dict.fromkeys(_noise_name(each) for each in measurements))
  canvas = figure.Figure(figsize=(2 + 2.5 * len(noises), 3.8), dpi=150)
  panels = {
    "training_error": "features as they are",
    "training_error_standardised": "features scaled to unit deviation",
  }
  axes = canvas.subplots(1, len(panels), sharey=True)
  for ax, (quantity, title) in zip(axes, panels.items(), strict=True):
    _plot_random_label_errors(ax, measurements, quantity, noises)
    ax.set_title(title, fontsize=10)
  axes[0].set_ylim(bottom=0)
  axes[0].yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
  axes[0].set_ylabel("training error on random labels")
  _finish_with_legend(canvas, axes[0])
  _save(canvas, path)


def _plot_random_label_errors(ax, measurements, quantity, noises):
  errors_of = {}  # Method -> noise -> list of fractions.
  for measured in measurements:
    by_noise = errors_of.setdefault(measured["method"], {})
    by_noise.setdefault(_noise_name(measured), []).append(
      measured[quantity][-1]
    )
  marks = _marks(errors_of)
  # Methods stand side by side, all of them within 0.7 of the way to the next.
  distance = min(0.12, 0.7 / len(errors_of))
  for number, (method, by_noise) in enumerate(errors_of.items()):
    values = [by_noise.get(noise, [np.nan]) for noise in noises]
    shift = distance * (number - (len(errors_of) - 1) / 2)
    ax.errorbar(
      np.arange(len(noises)) + shift,
      [np.mean(each) for each in values],
      yerr=[np.std(each, ddof=1) if len(each) > 1 else 0 for each in values],
      label=_title(method),
      linestyle="none",
      capsize=4,
      markersize=7,
      **marks[method],
    )
  ax.set_xticks(range(len(noises)), noises)
  ax.set_xlim(-0.5, len(noises) - 0.5)
  ax.set_xlabel("label noise in training")
  _tidy(ax)


def plot_ranking(accuracies, path, marked=None, baseline=None, told=()):
  """Draws the accuracies of methods, side by side for each kind of noise.

  Each panel has its own axis.

  Args:
    accuracies: dict from method to dict from noise to a pair of fractions:
      mean, standard deviation. The first method stands on top.
    path: str or path of the PNG file.
    marked: str, the method that has a mark of its own; None for none.
    baseline: str, the method at which a dashed line is; None for none.
    told: the methods that are told the noise, which have hollow marks.
  """
  titles = list(accuracies)
  noises = list(dict.fromkeys(itertools.chain(*accuracies.values())))
  num_columns = min(len(noises), _RANKING_COLUMNS)
  num_rows = -(-len(noises) // num_columns)
  canvas = figure.Figure(
    figsize=(2.2 + 2.4 * num_columns, num_rows * (0.8 + 0.2 * len(titles))),
    layout="constrained",
  )
  all_axes = canvas.subplots(
    num_rows, num_columns, sharey=True, squeeze=False
  ).ravel()
  for ax, noise in zip(all_axes, noises, strict=False):
    pairs = {title: row.get(noise) for title, row in accuracies.items()}
    _plot_ranked(ax, pairs, marked, baseline, told)
    ax.set_title(noise, fontsize="medium")
  for ax in all_axes[len(noises) :]:
    ax.set_visible(False)
  key = []
  if any(std for row in accuracies.values() for _, std in row.values()):
    key.append("bars: standard deviation over seeds")
  if marked is not None:
    key.append(f"diamond: {marked}")
  if baseline is not None:
    key.append(f"dashed line: {baseline}")
  if told:
    key.append("hollow: told the noise")
  label = f"accuracy after the last epoch in percent\n{'; '.join(key)}"
  canvas.supxlabel(label.rstrip(), fontsize="medium")
  _save(canvas, path)


def _plot_ranked(ax, pairs, marked, baseline, told):
  """Draws the accuracies of one kind of noise; a pair may be None."""
  for place, (title, pair) in enumerate(pairs.items()):
    if pair is None:
      continue
    mean, deviation = (100 * value for value in pair)
    is_own = title == marked
    ax.errorbar(
      mean,
      place,
      xerr=deviation,
      color=_COLORS[1] if is_own else _COLORS[0],
      marker="D" if is_own else "o",
      markersize=5,
      markerfacecolor="white" if title in told else None,
      capsize=2,
    )
    if title == baseline:
      ax.axvline(mean, color="gray", linestyle="--", linewidth=1, zorder=0)
  ax.set_yticks(range(len(pairs)), pairs)
  ax.set_ylim(len(pairs) - 0.5, -0.5)
  ax.grid(axis="y", color="0.9", linewidth=0.8)
  ax.set_axisbelow(True)
  _tidy(ax)


def _finish_with_legend(canvas, ax):
  """Lays the figure out; many entries of a legend stand below the axes."""
  handles, labels = ax.get_legend_handles_labels()
  if len(handles) <= _LEGEND_COLUMNS:
    ax.legend(frameon=False, fontsize=9)
    canvas.tight_layout()
    return
  num_rows = math.ceil(len(handles) / _LEGEND_COLUMNS)
  width, height = canvas.get_size_inches()
  legend_height = _LEGEND_ROW_INCHES * (num_rows + 1)
  canvas.set_size_inches(width, height + legend_height)
  canvas.legend(
    handles,
    labels,
    loc="lower center",
    ncols=_LEGEND_COLUMNS,
    frameon=False,
    fontsize=9,
  )
  share = legend_height / (height + legend_height)
  canvas.tight_layout(rect=(0, share, 1, 1))


def _fit(title, inches):
  """Returns a title with lines that are not wider than that."""
  return wrapping.wrap(title, int(_CHARACTERS_PER_INCH * inches))


def _title(method):
  """Returns a method's title; its name where it is not registered here."""
  if method not in methods.names():
    return method
  return methods.get_options(method).TITLE


def _marks(shown):
  """Returns dict from method to its colour and marker.

  A method has the same ones in every figure, by its place in the registry.

  Args:
    shown: names of methods. Those that are not registered come last.
  """
  return {
    name: {
      "color": _COLORS[number % len(_COLORS)],
      "marker": _MARKERS[number % len(_MARKERS)],
    }
    for number, name in enumerate(dict.fromkeys([*methods.names(), *shown]))
  }


def _noise_name(run):
  if not run["noise_rate"]:
    return "none"
  kind = run["noise_type"].partition("_")[0]
  return f"{kind} {run['noise_rate']:.0%}"


def _tidy(ax):
  ax.grid(alpha=0.3)
  ax.spines[["top", "right"]].set_visible(False)


def _save(canvas, path):
  try:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, format="png")
  except OSError as error:
    raise errors.InvalidInputError(
      f"The figure {path} cannot be written: {error.strerror}"
    ) from error


def _plot_run(axes, result, history):
  epochs = history["epoch"] + 1
  clean = _PARTS["clean"]
  if _is_noise_unknown(result):
    clean = {**clean, "label": "given labels"}
  parts = {**_PARTS, "clean": clean}
  for quantity, ax in axes.items():
    for part, style in parts.items():
      values = history.get(f"train_{quantity}_{part}")
      if values is not None:
        measured = np.isfinite(values)
        ax.plot(epochs[measured], values[measured], linewidth=1.8, **style)
    _tidy(ax)


def _is_noise_unknown(result):
  """Returns whether a run's labels are its user's, none known to be wrong."""
  is_unknown = result.get("test_labels", "clean") != "clean"
  return is_unknown and not result["actual_noise_rate"]


def _describe(result):
  noise = "its own noise" if _is_noise_unknown(result) else "no label noise"
  if result["actual_noise_rate"] > 0:
    noise = "its own noise"
    if result["noise_type"] != "none":
      noise = result["noise_type"].replace("_", " ") + " noise"
    if result["noise_rate"] > 0:
      noise = f"{result['noise_rate']:.0%} {noise}"
    noise += f"\n({result['actual_noise_rate']:.1%} of the labels are wrong)"
  return f"Memorisation on {_short_name(result['dataset'])}, {noise}"


def _short_name(dataset):
  """Returns the name of a dataset, of a path the last part alone."""
  kind, separator, path = dataset.partition(":")
  return kind + separator + pathlib.PurePath(path).name
