"""The options of each script beside, or in place of, a run's configuration.

Each script has a class of options, as a run has. The options that define a run
are `nct_tf.config.TrainConfig`.
"""

import dataclasses

from nct_tf import errors, methods
from nct_tf.experiments import tables
from nct_tf.options import data, fields, run


def _check_png(name, path):
  if path is not None and not path.lower().endswith(".png"):
    raise errors.InvalidInputError(
      f"Argument `{name}` must end in .png. Received: {name}={path}"
    )


@dataclasses.dataclass(frozen=True)
class Check(fields.Options):
  """A check of the data instead of training."""

  TITLE = "check"

  check_data: bool = fields.option(
    False,
    "Do not train. Report what is wrong with --dataset, and estimate the cost "
    "of training by measuring some seconds of it. This needs no --workdir.",
  )


@dataclasses.dataclass(frozen=True)
class Weights(fields.Options):
  """Which weights of a run are used."""

  TITLE = "weights"

  checkpoint: str = fields.option(
    "last",
    "Weights of the last epoch, or of the best by validation.",
    choices=("last", "best"),
  )
  use_ema: bool | None = fields.option(
    None,
    "Whether to use the moving average of the weights. If not given, it is "
    "used if the run was trained with --ema_decay.",
  )


@dataclasses.dataclass(frozen=True)
class FinishedRun(fields.Options):
  """A run that is there already."""

  TITLE = "finished run"

  workdir: str | None = fields.option(None, "Folder of the finished run.")


@dataclasses.dataclass(frozen=True)
class MovedData(fields.Options):
  """Where a run's data are now."""

  TITLE = "moved data"

  dataset: str | None = fields.option(
    None,
    "Where the run's data are now, folder:PATH, csv:FILE or npz:FILE, if they "
    "were moved. They must be the same as before. The run keeps the place, so "
    "that it need be given once.",
  )


_CacheDir = fields.some_of(run.Run, "cache_dir")
_Cache = fields.some_of(run.Run, "cache", "cache_dir")


@dataclasses.dataclass(frozen=True)
class Evaluate(Weights, _Cache, MovedData, FinishedRun):
  """Options of `scripts.evaluate`."""

  TITLE = "evaluate"

  label_decisions: str | None = fields.option(
    None,
    "CSV file of decisions that takes the place of the run's own, to evaluate "
    "an earlier run on the test labels of a later one; several with commas "
    "between them.",
  )
  other_data: bool = fields.option(
    False,
    "Evaluate on the test split of --dataset, or of what is there now, even if "
    "the run was trained on other data; classes and image shape must be the "
    "same. Where the split was chosen anew, pictures that the run was trained "
    "on are among the test pictures, and the accuracy is too high: how many "
    "is told. The run's own label decisions do not count then.",
  )


@dataclasses.dataclass(frozen=True)
class Audit(Weights, _Cache, MovedData, FinishedRun):
  """Options of `scripts.audit`."""

  TITLE = "audit"

  time_budget_minutes: float = fields.option(
    10.0,
    "How long the folds may take that are trained if --folds is not given; the "
    "run's own time does not count.",
    unit="minutes",
    low=0,
    low_open=True,
  )
  folds: int | None = fields.option(
    None,
    "Divide the training examples into this many parts. For each part, train "
    "on all other parts, and score the part by those networks, which never saw "
    "it. This trains that many more times. 0 is for no folds: scores are then "
    "means over the run's own epochs, and the share of wrong labels is known "
    "less well. If not given, there are 3 folds where --time_budget_minutes "
    "has room for them, else none. If given, the audit is written into "
    "audit_N_folds/.",
    low=0,
  )
  force: bool = fields.option(
    False,
    "Write ranking and page even if the networks have learned nothing.",
  )

  def __post_init__(self):
    super().__post_init__()
    if self.folds == 1:
      raise errors.InvalidInputError(
        "Argument `folds` must be at least 2, or 0 for none. Received: folds=1"
      )


@dataclasses.dataclass(frozen=True)
class ApplyDecisions(
  _CacheDir, FinishedRun, fields.some_of(data.Data, "accept_findings")
):
  """Options of `scripts.apply_decisions`."""

  TITLE = "apply_decisions"

  dataset: str | None = fields.option(
    None,
    "The dataset to copy, folder:PATH, csv:FILE or npz:FILE. If not given, it "
    "is that of --workdir. With --workdir, it is where the run's data are now.",
  )
  decisions: str | None = fields.option(
    None,
    "CSV file that the page of scripts.audit gives (columns id, decision and "
    "label). If not given, it is decisions.csv in --workdir.",
  )
  output: str | None = fields.option(
    None, "The copy: a new folder, CSV file or npz file, as the dataset is one."
  )
  links: bool = fields.option(
    False, "Fill a new folder with symbolic links in place of copies."
  )

  def __post_init__(self):
    super().__post_init__()
    if not (self.workdir or self.dataset):
      raise errors.InvalidInputError(
        "One of (workdir, dataset) must be given. Received: none"
      )
    if not (self.workdir or self.decisions):
      raise errors.InvalidInputError(
        "Argument `decisions` must be given without workdir. Received: none"
      )


@dataclasses.dataclass(frozen=True)
class Version(fields.Options):
  """Which version of a SavedModel."""

  TITLE = "version"

  version: int | None = fields.option(
    None,
    "Version of the SavedModel. If not given, an export gets the one after the "
    "highest, and a prediction asks the highest.",
    low=1,
    high=2**63 - 1,
  )


@dataclasses.dataclass(frozen=True)
class Export(
  Version, Weights, fields.some_of(run.Run, "export_dir"), FinishedRun
):
  """Options of `scripts.export`."""

  TITLE = "export"

  keep: int | None = fields.option(
    None,
    "How many versions stay: the new one and the highest of the others. Older "
    "ones are deleted after the new one is complete. If not given, all stay.",
    low=1,
  )
  members: bool = fields.option(
    False,
    "Also offer each network alone, as the signatures serving_network1 and "
    "serving_network2.",
  )
  top_k: int = fields.option(
    5,
    "How many classes the signature classify names; at most the number of "
    "classes.",
    low=1,
  )


@dataclasses.dataclass(frozen=True)
class Predict(Version):
  """Options of `scripts.predict`."""

  TITLE = "predict"

  export_dir: str | None = fields.option(
    None,
    "Folder of the exported model. Its versions are SavedModels in subfolders "
    "that are named by whole numbers.",
  )
  images: tuple[str, ...] | None = fields.option(
    None,
    "What to classify: a picture of any format, a folder (all .bmp, .gif, "
    ".jpeg, .jpg, .png and .webp in and below it, but for hidden ones), or a "
    "pattern with *, **, ? and [...]. Several may stand with commas between "
    "them, too.",
    repeated=True,
  )
  format: str = fields.option(
    "table",
    "How to print the answers; jsonl is a JSON object a line.",
    choices=("table", "csv", "jsonl"),
  )
  rest_url: str | None = fields.option(
    None, "A running TF Serving to ask over HTTP, like http://localhost:8501."
  )
  grpc_address: str | None = fields.option(
    None,
    "A running TF Serving to ask over gRPC, like localhost:8500. This needs "
    "tensorflow-serving-api.",
  )
  model_name: str = fields.option(
    "default",
    "Name of the model on the server; the default is TF Serving's own.",
  )
  version_label: str | None = fields.option(
    None,
    "Label of the version to ask on the server, like stable. It cannot be "
    "combined with --version.",
  )
  timeout_seconds: float = fields.option(
    30.0,
    "How long the server may take for one answer; over gRPC with all "
    "repetitions.",
    unit="seconds",
    low=0,
    low_open=True,
  )
  num_retries: int = fields.option(
    3,
    "How often a request is repeated, in growing intervals, when the server "
    "cannot be reached, hangs up or has too much to do.",
    low=0,
    high=4,
  )

  def __post_init__(self):
    super().__post_init__()
    self._check_given("Exactly", "export_dir", "rest_url", "grpc_address")
    self._check_given("At most", "version", "version_label")
    self._check_given("At most", "export_dir", "version_label")

  def _check_given(self, number, *names):
    """Raises unless exactly, or at most, one of some options is given."""
    given = [name for name in names if getattr(self, name) is not None]
    if len(given) > 1 or (number == "Exactly" and not given):
      raise errors.InvalidInputError(
        f"{number} one of ({', '.join(names)}) must be given. Received: "
        f"{', '.join(given) or 'none'}"
      )


@dataclasses.dataclass(frozen=True)
class Compare(fields.Options):
  """Options of `scripts.compare`."""

  TITLE = "compare"

  workdirs: tuple[str, ...] | None = fields.option(
    None, "Folders of finished runs."
  )
  figure: str | None = fields.option(
    None,
    "PNG file for loss and accuracy on clean and on wrong labels, a column a "
    "run; of more than ten runs, for the accuracy alone. If not given, none is "
    "drawn.",
  )

  def __post_init__(self):
    super().__post_init__()
    if self.workdirs is not None and not (self.workdirs and all(self.workdirs)):
      raise errors.InvalidInputError(
        "Argument `workdirs` must name at least one folder, and none by an "
        f"empty name. Received: {','.join(self.workdirs)}"
      )
    _check_png("figure", self.figure)


@dataclasses.dataclass(frozen=True)
class Experiments(fields.Options):
  """The scale of the paper's experiments, and the place of their results."""

  TITLE = "experiments"

  scale: str = fields.option(
    "paper",
    "Whether the settings are the paper's; of a size that two processors can "
    "train, cpu (tables 1, 5, 6 and methods, figures 1 and 3); or that one GPU "
    "trains in a day, gpu (table methods).",
    choices=tables.SCALES,
  )
  results_dir: str = fields.option(
    "results",
    "Folder that keeps the flags, history and result of each finished run. "
    "Runs that are there are not repeated.",
  )
  figure: int | None = fields.option(
    None,
    "The paper's figure. 1 is loss and accuracy on training examples with "
    "clean and with wrong labels. 2 is both schedules. 3 is how well frozen "
    "features can be fitted to random labels.",
    low=1,
    high=3,
  )
  seeds: tuple[int, ...] = fields.option((0, 1, 2), "Seeds of the runs.", low=0)

  def __post_init__(self):
    super().__post_init__()
    if not self.seeds:
      raise errors.InvalidInputError(
        "Argument `seeds` must name at least one seed. Received: none"
      )
    if len(set(self.seeds)) < len(self.seeds):
      raise errors.InvalidInputError(
        "Argument `seeds` must name each seed once. Received: "
        f"{','.join(map(str, self.seeds))}"
      )


@dataclasses.dataclass(frozen=True)
class Plot(Experiments):
  """Options of `scripts.plot`."""

  TITLE = "plot"

  output: str | None = fields.option(
    None,
    "The PNG file. If not given, it is figureN.png in --results_dir, in the "
    "scale's folder.",
  )

  def __post_init__(self):
    super().__post_init__()
    _check_png("output", self.output)


@dataclasses.dataclass(frozen=True)
class Reproduce(fields.some_of(data.Data, "data_dir", "download"), Experiments):
  """Options of `scripts.reproduce`."""

  TITLE = "reproduce"

  table: str | None = fields.option(
    None,
    "The paper's table; or methods, by noise, with --scale=cpu or gpu; or "
    "methods_augmented, the same with crop and flip, with --scale=cpu.",
    choices=tables.NAMES,
  )
  published: str | None = fields.option(
    None,
    "The method whose published settings are run, with the networks, the "
    "optimizers and the data that they were published with.",
    choices=tables.available_published,
    listing=tables.describe_published,
  )
  cell: tuple[str, ...] = fields.option(
    (),
    "Cells of the table, or of the published settings; docs/experiments.md "
    "lists their names. If not given, all cells are run.",
  )
  dataset: str | None = fields.option(
    None,
    "Where the cells' data are, folder:PATH, csv:FILE or npz:FILE, if not in "
    "tensorflow-datasets. All cells must be of one dataset. Results are told "
    "apart by it.",
  )
  dry_run: bool = fields.option(
    False,
    "Print the commands and an estimate of their cost, without running them.",
  )
  train: bool = fields.option(
    True,
    "Train the runs that are missing. With --notrain, what is in --results_dir "
    "is shown, and cells without a run stay empty.",
  )
  jobs: int = fields.option(
    1, "How many runs train at once, sharing the processors.", low=1
  )
  runs_dir: str = fields.option("runs", "Folder of the runs' workdirs.")

  @property
  def is_whole(self):
    """Whether all cells are asked for, on their own data, with all seeds."""
    return (
      not self.cell
      and self.dataset is None
      and set(self.seeds) >= set(type(self).seeds)
    )

  def __post_init__(self):
    super().__post_init__()
    names = ("table", "figure", "published")
    given = [name for name in names if getattr(self, name) is not None]
    if len(given) != 1:
      raise errors.InvalidInputError(
        f"Exactly one of ({', '.join(names)}) must be given. Received: "
        f"{', '.join(given) or 'none'}"
      )
    if self.dataset is not None and data.split_place(self.dataset)[0] is None:
      raise errors.InvalidInputError(
        "Argument `dataset` must be folder:PATH, csv:FILE or npz:FILE. "
        f"Received: dataset={self.dataset}"
      )
    if self.figure is not None and not self.train:
      raise errors.InvalidInputError(
        "Argument `train` must not be false with `figure`: scripts.plot draws "
        f"figures of finished runs. Received: train=False, figure={self.figure}"
      )
    if self.figure is not None and (self.dataset or self.cell):
      raise errors.InvalidInputError(
        "Arguments `dataset` and `cell` belong to table and published. "
        f"Received: figure={self.figure}"
      )
    if self.published and self.scale != "paper":
      raise errors.InvalidInputError(
        "Argument `scale` belongs to table and figure. Received: "
        f"scale={self.scale}, published={self.published}"
      )


@dataclasses.dataclass(frozen=True)
class Tune(fields.Options):
  """What is chosen among, and how."""

  TITLE = "tune"

  methods: tuple[str, ...] = fields.option(
    (),
    "Methods to choose among. If not given, it is --method alone.",
    choices=methods.names,
  )
  sweep: tuple[str, ...] | None = fields.option(
    None,
    "Values of an option to choose among, as OPTION=VALUE,VALUE. It may be an "
    "option of training, or of a method; methods that do not have it are tried "
    "once. May be given several times, for all combinations. If neither this "
    "nor --methods is given, nct is tried with the paper's values of "
    "target_variability_max.",
    repeated=True,
  )
  halving: bool = fields.option(
    False,
    "Stop the worse half after a quarter of the epochs, and again after half "
    "of them. That saves half of the time, and may stop a method that learns "
    "slowly, or that begins anew later on.",
  )
  jobs: int = fields.option(
    1, "How many trainings run at once, sharing the processors.", low=1
  )
  train_best: bool = fields.option(
    False,
    "Train the best once more, on what was held out, too, into a folder of "
    "--workdir that is called after it.",
  )


@dataclasses.dataclass(frozen=True)
class Benchmark(fields.Options):
  """What is timed, and how often."""

  TITLE = "benchmark"

  suite: str = fields.option(
    "steps",
    "What to time. steps: a training step by itself, and the input pipeline. "
    "training: scripts.train from its start to its end, beside the step by "
    "itself. serving: the signatures of an export. scaling: a training step on "
    "one device and on all of --strategy=mirrored. methods: a training step of "
    "every method, beside one of plain training. audit: an audit, compared "
    "with cleanlab.",
    choices=("steps", "training", "serving", "scaling", "methods", "audit"),
  )
  num_steps: int = fields.option(
    20,
    "How many training steps of each kind are timed (on a GPU: groups of 20 "
    "steps), or requests of each signature and batch size.",
    low=1,
  )
  compare: str | None = fields.option(
    None,
    "Time the published training step in PyTorch, too; for --suite=steps.",
    choices=("torch",),
  )
  torch_python: str | None = fields.option(
    None,
    "The Python of an environment that has PyTorch, for --compare=torch. If "
    "not given, PyTorch is looked for beside TensorFlow.",
  )
  methods: tuple[str, ...] = fields.option(
    (),
    "Methods for --suite=methods to time, beside standard. If not given, all.",
    choices=methods.names,
  )
  output: str | None = fields.option(
    None,
    "JSON file for what was measured. If not given, it is the last line that "
    "is printed.",
  )

  def __post_init__(self):
    super().__post_init__()
    if self.compare and self.suite != "steps":
      raise errors.InvalidInputError(
        "Argument `compare` belongs to suite=steps. Received: suite="
        f"{self.suite}"
      )
    if self.torch_python is not None and not self.compare:
      raise errors.InvalidInputError(
        "Argument `torch_python` belongs to compare=torch. Received: "
        f"torch_python={self.torch_python}"
      )
    if self.methods and self.suite != "methods":
      raise errors.InvalidInputError(
        "Argument `methods` belongs to suite=methods. Received: suite="
        f"{self.suite}"
      )


@dataclasses.dataclass(frozen=True)
class Cluster(fields.Options):
  """How many workers replace a cluster, and how often they are restarted."""

  TITLE = "cluster"

  num_workers: int = fields.option(
    2,
    "Workers, each a process on this machine. The first is the chief.",
    low=1,
  )
  max_restarts: int = fields.option(
    3,
    "How often, at most, all workers are started again after one has died. 0 "
    "is never.",
    low=0,
  )
