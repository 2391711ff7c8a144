import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from absl.testing import absltest, flagsaver, parameterized
import yaml

from flags import option_flags
from nct_tf import config
from scripts import cli

_FOLDER = pathlib.Path(__file__).absolute().parents[1] / "examples" / "cluster"
_TRAIN = ["-m", "scripts.train"]


def read_flags(arguments):
  """Returns the `TrainConfig` that scripts.train makes of a command line."""
  with flagsaver.flagsaver():
    option_flags.define(config.TrainConfig)
    cli.parse(["train", *arguments])
    return option_flags.read(config.TrainConfig)


def hosts_and_ports(train_config):
  return [worker.split(":") for worker in train_config.workers]


class KubernetesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    text = (_FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(text))
    kinds = {document["kind"]: document for document in documents}
    self.assertLen(kinds, len(documents))
    self.service = kinds["Service"]
    self.claim = kinds["PersistentVolumeClaim"]
    self.job = kinds["Job"]
    self.pod = self.job["spec"]["template"]["spec"]
    (self.container,) = self.pod["containers"]

  def command_line(self, index):
    """Returns the program and its arguments, with $(NAME) expanded."""
    variables = {"JOB_COMPLETION_INDEX": str(index)}  # The Job sets it.
    for variable in self.container.get("env", []):
      variables[variable["name"]] = variable["value"]
    return [
      re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], part)
      for part in self.container["command"] + self.container["args"]
    ]

  def read_flags(self, index=0):
    python, *arguments = self.command_line(index)
    self.assertEqual([python, *arguments[:2]], ["python", *_TRAIN])
    return read_flags(arguments[2:])

  def test_each_pod_is_a_worker(self):
    spec = self.job["spec"]
    self.assertEqual(spec["completionMode"], "Indexed")
    self.assertEqual(spec["completions"], spec["parallelism"])
    job, service = (x["metadata"]["name"] for x in (self.job, self.service))
    for index in range(spec["completions"]):
      train_config = self.read_flags(index)
      self.assertEqual(train_config.strategy, "multi_worker")
      self.assertEqual(train_config.worker_index, index)
      self.assertEqual(
        [host for host, _ in hosts_and_ports(train_config)],
        [f"{job}-{i}.{service}" for i in range(spec["completions"])],
      )

  def test_the_service_names_the_pods(self):
    spec = self.service["spec"]
    self.assertEqual(spec["clusterIP"], "None")
    self.assertEqual(self.service["metadata"]["name"], self.pod["subdomain"])
    labels = self.job["spec"]["template"]["metadata"]["labels"]
    self.assertLessEqual(spec["selector"].items(), labels.items())

  def test_ports_are_the_same(self):
    (port,) = self.service["spec"]["ports"]
    (container_port,) = self.container["ports"]
    self.assertEqual(port["port"], container_port["containerPort"])
    self.assertEqual(
      {port for _, port in hosts_and_ports(self.read_flags())},
      {str(port["port"])},
    )

  def test_folders_are_shared(self):
    (volume,) = self.pod["volumes"]
    (mount,) = self.container["volumeMounts"]
    self.assertEqual(mount["name"], volume["name"])
    self.assertEqual(
      volume["persistentVolumeClaim"]["claimName"],
      self.claim["metadata"]["name"],
    )
    self.assertEqual(self.claim["spec"]["accessModes"], ["ReadWriteMany"])
    train_config = self.read_flags()
    for folder in (train_config.workdir, train_config.data_dir):
      self.assertStartsWith(folder, mount["mountPath"] + "/")

  def test_only_who_can_go_on_is_started_again(self):
    policy = self.job["spec"]["podFailurePolicy"]
    self.assertEqual(self.pod["restartPolicy"], "Never")  # It needs that.
    actions = {}
    for rule in policy["rules"]:
      if codes := rule.get("onExitCodes"):
        self.assertEqual(codes["containerName"], self.container["name"])
        self.assertEqual(codes["operator"], "In")
        actions.update(dict.fromkeys(codes["values"], rule["action"]))
    self.assertEqual(actions, {2: "FailJob", os.EX_TEMPFAIL: "Ignore"})
    self.assertFalse(self.read_flags().overwrite)
    self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], 30)

  def test_each_has_a_gpu(self):
    limits = self.container["resources"]["limits"]
    self.assertGreaterEqual(limits["nvidia.com/gpu"], 1)


# Runs a command as so many tasks; ends with the highest of their codes.
_SRUN = """
import os, subprocess, sys

codes = []
for index in range(int(os.environ["SLURM_NNODES"])):
  environment = {**os.environ, "SLURM_PROCID": str(index)}
  codes.append(
    subprocess.call(sys.argv[1:], env=environment, start_new_session=True)
  )
sys.exit(max(code if code >= 0 else 128 - code for code in codes))
"""

_SCONTROL = """
import os, sys

if sys.argv[1:] == ["show", "hostnames", "node[7-9]"]:
  for index in range(int(os.environ["SLURM_NNODES"])):
    print(f"node{7 + index}")
elif sys.argv[1] == "requeue":
  with open("requeued", "a") as file:
    file.write(sys.argv[2])
else:
  sys.exit(f"not known here: {sys.argv}")
"""

# In place of training: writes down how it was called, and ends as planned.
_PYTHON = """
import json, os, signal, sys

index = int(os.environ["SLURM_PROCID"])
with open(f"{index}.json", "w") as file:
  json.dump(sys.argv[1:], file)
code = json.loads(os.environ["CODES"])[index]
if code == "told":  # As Slurm does, it tells all processes of the task.
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
  os.killpg(0, signal.SIGTERM)
  signal.pause()
if code < 0:
  os.kill(os.getpid(), -code)
sys.exit(code)
"""


class SlurmTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    for path, code in (
      ("bin/srun", _SRUN),
      ("bin/scontrol", _SCONTROL),
      (".venv/bin/python", _PYTHON),
    ):
      program = self.folder / path
      program.parent.mkdir(parents=True, exist_ok=True)
      program.write_text(f"#!{sys.executable}\n{code}")
      program.chmod(0o755)
    text = (_FOLDER / "slurm.sbatch").read_text(encoding="utf-8")
    self.options = dict(re.findall(r"(?m)^#SBATCH --([\w-]+)=?(.*)$", text))

  def submit(self, *arguments, codes=(0, 0), **variables):
    """Runs the job; returns its code and whether it was put back."""
    process = subprocess.run(
      ["bash", str(_FOLDER / "slurm.sbatch"), *arguments],
      cwd=self.folder,
      env={
        **os.environ,
        "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CODES": json.dumps(codes),
        "SLURM_JOB_ID": "1234567",
        "SLURM_JOB_NODELIST": "node[7-9]",
        "SLURM_NNODES": self.options["nodes"],
        "SLURM_CPUS_PER_TASK": self.options["cpus-per-task"],
        **variables,
      },
      capture_output=True,
      text=True,
      check=False,
    )
    # What bash or scontrol complains of; "Killed" may stand there.
    self.assertNotRegex(process.stderr, r"slurm\.sbatch|not known here")
    requeued = self.folder / "requeued"
    if requeued.exists():
      self.assertEqual(requeued.read_text(), "1234567")
    return process.returncode, requeued.exists()

  def flags_of(self, index):
    arguments = json.loads((self.folder / f"{index}.json").read_text())
    self.assertEqual(arguments[:2], _TRAIN)
    return read_flags(arguments[2:])

  def test_options(self):
    self.assertEqual(self.options["ntasks-per-node"], "1")
    self.assertEqual(self.options["signal"], "TERM@60")
    self.assertIn("requeue", self.options)

  def test_each_node_is_a_worker(self):
    self.assertEqual(self.submit(), (0, False))
    num_nodes = int(self.options["nodes"])
    for index in range(num_nodes):
      train_config = self.flags_of(index)
      self.assertEqual(train_config.strategy, "multi_worker")
      self.assertEqual(train_config.worker_index, index)
      self.assertEqual(
        hosts_and_ports(train_config),
        [[f"node{7 + i}", "24567"] for i in range(num_nodes)],
      )
      self.assertFalse(train_config.overwrite)

  def test_flags_can_be_added(self):
    self.submit(
      "--num_epochs=7", "--workdir=runs/with space", "--noise_rate=0.1"
    )
    train_config = self.flags_of(1)
    self.assertEqual(train_config.num_epochs, 7)
    self.assertEqual(train_config.workdir, "runs/with space")
    self.assertEqual(train_config.noise_rate, 0.1)

  @parameterized.named_parameters(
    ("done", (0, 0), 0, False),
    ("a_mistake", (2, 2), 2, False),
    ("a_mistake_of_one", (2, 75), 2, False),
    ("an_error", (75, 1), 1, False),
    ("no_python", (127, 127), 1, False),
    ("told", ("told", "told"), 75, True),
    ("one_was_told", (75, 0), 75, True),
    ("killed", (75, -9), 75, True),
  )
  def test_goes_back_into_the_queue(self, codes, code, requeued):
    self.assertEqual(self.submit(codes=codes), (code, requeued))

  @parameterized.parameters(("49", True), ("50", False))
  def test_not_for_ever(self, count, requeued):
    self.assertEqual(
      self.submit(codes=(75, 75), SLURM_RESTART_COUNT=count), (75, requeued)
    )


if __name__ == "__main__":
  absltest.main()
