"""Figures of runs, from their files."""

import pathlib

from matplotlib import figure, ticker
import numpy as np

from nct_tf import errors

# Of Okabe and Ito's palette; told apart by the colour-blind and in print, as
# the line styles differ too.
_LINES = {
  "clean": {"color": "#0072B2", "linestyle": "-", "label": "clean labels"},
  "noisy": {"color": "#D55E00", "linestyle": "--", "label": "wrong labels"},
}
_METHOD_TITLES = {
  "nct": "Noisy Concurrent Training",
  "standard": "Standard training",
}


def plot_memorisation(runs, path):
  """Draws Figure 1 of the paper for one or more runs, side by side.

  Upper row: mean cross entropy of the ensemble on the training examples with
  clean and with wrong labels, against the labels given; lower row: accuracy,
  likewise. A run in which neither was measured has empty axes.

  Args:
    runs: sequence of triples: the run's name; dict, of `result.json`; dict, of
      `Workdir.read_history`.
    path: str or path of the PNG file.
  """
  num_runs = len(runs)
  canvas = figure.Figure(figsize=(1 + 3.6 * num_runs, 5.6), dpi=150)
  axes = canvas.subplots(2, num_runs, sharex="col", sharey="row", squeeze=False)
  for column, (name, result, history) in enumerate(runs):
    _plot_run(axes[:, column], history)
    title = _METHOD_TITLES.get(result["method"], result["method"])
    if num_runs > 1:
      title += f"\n{name}"
    axes[0, column].set_title(title, fontsize=10)
    axes[1, column].xaxis.set_major_locator(
      ticker.MaxNLocator(nbins=6, integer=True)
    )
    axes[1, column].set_xlabel("epoch")
  axes[0, 0].set_ylabel("cross entropy (nats)")
  axes[1, 0].set_ylabel("accuracy on given labels")
  axes[0, 0].set_ylim(bottom=-0.02 * axes[0, 0].get_ylim()[1])
  axes[1, 0].set_ylim(-0.02, 1.02)
  axes[1, 0].yaxis.set_major_formatter(ticker.PercentFormatter(1))
  canvas.suptitle(_describe(runs[0][1]), fontsize=10)
  handles, labels = axes[0, 0].get_legend_handles_labels()
  canvas.legend(
    handles, labels, loc="lower center", ncols=2, frameon=False, fontsize=10
  )
  canvas.tight_layout(rect=(0, 0.05, 1, 1))
  try:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, format="png")
  except OSError as error:
    raise errors.InvalidInputError(
      f"The figure {path} cannot be written: {error.strerror}"
    ) from error


def _plot_run(axes, history):
  epochs = history["epoch"] + 1
  for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
    for part, style in _LINES.items():
      values = history.get(f"train_{quantity}_{part}")
      if values is not None:
        measured = np.isfinite(values)
        ax.plot(epochs[measured], values[measured], linewidth=1.8, **style)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def _describe(result):
  noise = "no label noise"
  if result["actual_noise_rate"] > 0:
    noise = "its own noise"
    if result["noise_type"] != "none":
      noise = result["noise_type"].replace("_", " ") + " noise"
    if result["noise_rate"] > 0:
      noise = f"{result['noise_rate']:.0%} {noise}"
    noise += f"\n({result['actual_noise_rate']:.1%} of the labels are wrong)"
  return f"Memorisation on {result['dataset']}, {noise}"
