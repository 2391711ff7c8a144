"""Results as tables of text."""

RESULTS_LEGEND = """\
best, last, last 10: accuracy on the clean test split, of the best epoch
(chosen on that split, or on held-out noisy labels where there are any), of
the last one, and the mean of the last ten;
balanced: the mean of the classes' accuracies, of the last epoch;
memorised: the share of wrong training labels that the ensemble reproduces."""

# A confusion matrix of more classes fills no screen.
_MAX_MATRIX_CLASSES = 20


def percent(fraction):
  """Returns a fraction as text in percent; "-" for None."""
  return "-" if fraction is None else f"{100 * fraction:.1f} %"


def format_table(rows, header):
  """Lays out text in columns: the first to the left, the others to the right.

  Args:
    rows: sequence of equally long sequences of str.
    header: sequence of str.

  Returns:
    str of several lines.
  """
  lines = [header, *rows]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  text = [
    "  ".join(
      cell.rjust(width) if index else cell.ljust(width)
      for index, (cell, width) in enumerate(zip(line, widths, strict=True))
    ).rstrip()
    for line in lines
  ]
  text.insert(1, "  ".join("-" * width for width in widths))
  return "\n".join(text)


def format_results(results, names):
  """Returns a table of runs.

  Args:
    results: sequence of dicts of `result.json`.
    names: sequence of str, what to call each of them.
  """
  rows = [
    (
      name,
      result["method"],
      str(result["num_epochs"]),
      percent(result["best_accuracy"]),
      percent(result["last_accuracy"]),
      percent(result["last10_accuracy"]),
      percent(result.get("balanced_accuracy")),
      percent(result["train_accuracy_noisy"]),
      f"{result['seconds']:.0f} s",
    )
    for name, result in zip(names, results, strict=True)
  ]
  figures = ("best", "last", "last 10", "balanced", "memorised", "time")
  return format_table(rows, ("run", "method", "epochs", *figures))


def format_evaluation(scores):
  """Returns tables of what `evaluation.evaluate` measured.

  Args:
    scores: its dict.
  """
  overall = [
    (name.replace("_", " "), percent(value))
    for name, value in scores.items()
    if name.endswith("_accuracy") and name != "per_class_accuracy"
  ]
  overall += [
    (name.replace("_", " "), f"{scores[name]:.4f}")
    for name in (
      "cohen_kappa",
      "matthews_correlation",
      "expected_calibration_error",
    )
  ]
  classes = list(scores["per_class_accuracy"])
  per_class = [
    (name, percent(value))
    for name, value in scores["per_class_accuracy"].items()
  ]
  parts = [
    format_table(overall, ("on the test split", scores["method"])),
    format_table(per_class, ("class", "accuracy")),
  ]
  if len(classes) <= _MAX_MATRIX_CLASSES:
    rows = [
      (name, *map(str, row))
      for name, row in zip(classes, scores["confusion_matrix"], strict=True)
    ]
    parts.append(format_table(rows, ("label \\ predicted", *classes)))
  extra_tests = [
    (
      name,
      percent(each["ensemble_accuracy"]),
      percent(each.get("top5_accuracy")),
    )
    for name, each in scores.get("extra_tests", {}).items()
  ]
  if extra_tests:
    header = ("further test split", "ensemble accuracy", "top5 accuracy")
    parts.insert(1, format_table(extra_tests, header))
  return "\n\n".join(parts)


def format_benchmark(benchmark):
  """Returns a table of what `benchmarking.benchmark` measured.

  Args:
    benchmark: its dict.
  """
  header = (_describe_steps(benchmark, "batch"), "")
  num_networks, ratio = {
    1: ("one network", "the first over the second"),
    2: ("two networks", "the first over twice the second"),
  }[benchmark["num_networks"]]
  rows = [
    (
      f"step of {benchmark['method']}, {num_networks}",
      f"{benchmark['step_seconds']:.4f} s",
    ),
    (
      "step of one network alone",
      f"{benchmark['single_step_seconds']:.4f} s",
    ),
    (ratio, f"{benchmark['ratio']:.3f}"),
    (
      "input pipeline alone",
      f"{benchmark['pipeline_images_per_second']:,.0f} images/s",
    ),
    (
      f"that over what {benchmark['method']} consumes",
      f"{benchmark['pipeline_ratio']:,.0f}",
    ),
  ]
  return format_table(rows, header)


def _describe_steps(benchmark, batch):
  """Returns a line that tells which training steps were timed."""
  size = "x".join(map(str, benchmark["image_shape"]))
  return (
    f"{benchmark['network']}, width {benchmark['width']}, {batch} "
    f"{benchmark['batch_size']} of {size}, mixed precision "
    f"{benchmark['mixed_precision']}"
  )


def format_serving_benchmark(benchmark):
  """Returns a table of what `serving_benchmarking.benchmark` measured.

  Args:
    benchmark: its dict.
  """
  rows = [
    (
      latency["signature"],
      str(latency["batch_size"]),
      f"{1000 * latency['p50_seconds']:.2f} ms",
      f"{1000 * latency['p99_seconds']:.2f} ms",
      f"{latency['images_per_second']:,.0f}",
      f"{latency['ratio']:.2f}",
    )
    for latency in benchmark["latencies"]
  ]
  header = ("signature", "batch", "p50", "p99", "images/s", "x one network")
  shares = ", ".join(
    f"{percent(share)} at batch {size}"
    for size, share in benchmark["decoding_share"].items()
  )
  size = "x".join(map(str, benchmark["image_shape"]))
  return "\n".join(
    [
      f"{benchmark['network']}, width {benchmark['width']}, images of {size}",
      format_table(rows, header),
      f"decoding's share of serving_bytes: {shares}",
    ]
  )


def format_scaling_benchmark(benchmark):
  """Returns a table of what `scaling_benchmarking.benchmark` measured.

  Args:
    benchmark: its dict.
  """
  rows = [
    (
      str(replicas["num_replicas"]),
      f"{1 / replicas['step_seconds']:.2f}",
      f"{replicas['images_per_second']:,.0f}",
      f"{replicas['ratio']:.2f}",
    )
    for replicas in benchmark["replicas"]
  ]
  header = ("replicas", "steps/s", "images/s", "x one replica's time")
  num_bytes = benchmark["all_reduced_bytes"]
  return "\n".join(
    [
      _describe_steps(benchmark, "global batch"),
      format_table(rows, header),
      "all-reduced in a step, bytes of each replica: "
      f"{num_bytes['gradients']:,} of gradients, {num_bytes['others']:,} of "
      "others",
    ]
  )


def format_check(check):
  """Returns tables of what `data_check.check` found.

  Args:
    check: its dict.
  """
  splits = list(check["counts"])
  per_class = [
    (name, *map(str, counts))
    for name, *counts in zip(
      check["class_names"], *check["counts"].values(), strict=True
    )
  ]
  totals = [str(sum(counts)) for counts in check["counts"].values()]
  size = "x".join(map(str, check["image_shape"]))
  rows = [
    ("images", size),
    ("parameters", f"{check['num_parameters']:,}"),
    ("memory", f"{check['memory_bytes'] / 1e9:.1f} GB"),
    ("an epoch's work", _flops(check["epoch_flops"])),
    (
      "a step",
      f"{check['step_seconds']:.3f} s, {check['steps_per_epoch']} an epoch",
    ),
    (
      "an epoch",
      f"{check['epoch_seconds']:.1f} s, "
      f"{check['evaluation_seconds']:.1f} s of it evaluation",
    ),
    (
      f"all {check['num_epochs']} epochs",
      f"{check['hours']:.2f} hours on this machine",
    ),
  ]
  return "\n\n".join(
    [
      format_table([*per_class, ("all", *totals)], ("class", *splits)),
      format_table(rows, ("training", "")),
    ]
  )


def _flops(number):
  return f"{number / 1e12:,.1f} TFLOP"


def format_costs(costs):
  """Returns a table of what cells of the paper's tables would cost.

  Args:
    costs: list of dicts of `experiment_costs.estimate`.
  """
  rows = [
    (
      ", ".join(cost["cells"]),
      f"{cost['num_parameters']:,}",
      f"{cost['memory_bytes'] / 1e9:.1f} GB",
      f"{cost['image_bytes'] / 1e9:.1f} GB",
      _flops(cost["epoch_flops"]),
      f"{cost['step_seconds']:.3f} s",
      f"{cost['hours']:,.2f}",
      f"{cost['all_hours']:,.2f}",
    )
    for cost in costs
  ]
  header = ("cells", "parameters", "memory", "images", "an epoch", "a step")
  return format_table(rows, (*header, "hours a run", "hours in all"))


def format_tuning(name, scores):
  """Returns a table of what `tuning.tune` found, and the best value's flag.

  Args:
    name: str, the option that was tuned.
    scores: dict of `tuning.tune`.
  """
  best = max(scores, key=scores.get)
  rows = [(str(value), percent(score)) for value, score in scores.items()]
  return "\n".join(
    [
      format_table(rows, (name, "held-out accuracy")),
      "held-out accuracy: on noisy labels, the mean of the last ten epochs",
      f"--{name}={best}",
    ]
  )


def format_audit(summary):
  """Returns tables of an audit.

  Args:
    summary: dict of `auditing.summarize`.
  """
  low, high = summary["noise_rate_interval"]
  rows = [
    ("training examples", f"{summary['num_examples']:,}"),
    (
      "wrong labels, estimated",
      f"{percent(summary['noise_rate'])} ({100 * low:.1f} to {100 * high:.1f})",
    ),
    ("flagged", f"{summary['num_flagged']:,}"),
  ]
  parts = [format_table(rows, ("labels", ""))]
  truth = summary["truth"]
  if truth:
    rows = [
      ("wrong labels", percent(truth["noise_rate"])),
      ("average precision", f"{truth['average_precision']:.3f}"),
      (
        "precision among as many as are wrong",
        percent(truth["precision_at_wrong"]),
      ),
      ("precision of the flagged", percent(truth["flagged_precision"])),
      ("recall of the flagged", percent(truth["flagged_recall"])),
      ("right suggestions", percent(truth["suggestion_accuracy"])),
      ("error of the rate", f"{100 * truth['noise_rate_error']:+.1f} points"),
      (
        "mean error of the transition matrix",
        f"{100 * truth['transition_error']:.1f} points",
      ),
    ]
    parts.append(format_table(rows, ("as the truth is known", "")))
  parts += [f"Warning: {warning}." for warning in summary["warnings"]]
  return "\n\n".join(parts)


def format_audit_benchmark(benchmark):
  """Returns tables of what `audit_benchmarking.benchmark` measured.

  Args:
    benchmark: its dict.
  """
  precisions = [
    (name.replace("_", " "), f"{value:.3f}")
    for name, value in benchmark["average_precision"].items()
  ]
  seconds = benchmark["seconds"]
  own = seconds[benchmark["method"]]
  times = [
    (name.replace("_", " "), f"{value:.0f} s", f"{value / own:.2f}")
    for name, value in seconds.items()
  ]
  return "\n\n".join(
    [
      f"{benchmark['dataset']}, {benchmark['num_train_examples']} examples, "
      f"{benchmark['noise_type']} {benchmark['noise_rate']}: "
      f"{percent(benchmark['wrong_rate'])} of the labels are wrong\n"
      f"{benchmark['network']}, width {benchmark['width']}, "
      f"{benchmark['num_epochs']} epochs",
      format_table(precisions, ("wrong labels", "average precision")),
      format_table(times, ("training", "time", "x ours")),
    ]
  )
