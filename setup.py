"""Packaging of nct_tf: two TensorFlow stacks, one source.

Python 3.10 and 3.11 get TensorFlow 2.15 with Keras 2.15 and
tensorflow-addons. Python 3.12 and 3.13 get TensorFlow 2.21 with Keras 3, for
which no tensorflow-addons exists. The files in `constraints/` fix every
version that these requirements leave open; `make lock` renews them.
"""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent
_VERSION = re.search(
  r'^__version__ = "(.+)"$',
  (_HERE / "nct_tf" / "version.py").read_text(encoding="utf-8"),
  re.MULTILINE,
).group(1)

_FIRST_STACK = 'python_version < "3.12"'
_SECOND_STACK = 'python_version >= "3.12"'

_REQUIREMENTS = [
  "absl-py",
  "h5py",
  "jinja2",
  "matplotlib",
  "pillow>=9.5",
  "requests",
  "scikit-learn",
  "tabulate",
  "tensorflow-datasets==4.9.10",
  "threadpoolctl",
  "tqdm",
  # tensorflow-datasets imports it, but asks for it on old Pythons only.
  "importlib_resources",
  # TensorFlow 2.21 no longer brings it, and `tf.summary.scalar` needs it.
  "tensorboard",
  f"tensorflow==2.15.1; {_FIRST_STACK}",
  f"keras==2.15.0; {_FIRST_STACK}",
  f"tensorflow-addons==0.23.0; {_FIRST_STACK}",
  # tensorflow-metadata 1.21 needs a protobuf that TensorFlow 2.15 refuses, but
  # does not declare it. There is no version between 1.17.3 and 1.21.
  f"tensorflow-metadata==1.17.3; {_FIRST_STACK}",
  # TensorFlow 2.15 is built for NumPy 1, tensorflow-addons for typeguard 2.
  f"numpy<2; {_FIRST_STACK}",
  f"typeguard<3; {_FIRST_STACK}",
  # The `tensorboard` command of 2.15 imports pkg_resources.
  f"setuptools<81; {_FIRST_STACK}",
  f"tensorflow==2.21.*; {_SECOND_STACK}",
  f"keras==3.15.*; {_SECOND_STACK}",
]

# TF Serving's messages: for warm-up requests and for gRPC clients.
_SERVING_REQUIREMENTS = [
  f"tensorflow-serving-api==2.15.1; {_FIRST_STACK}",
  f"tensorflow-serving-api==2.21.*; {_SECOND_STACK}",
]

# The CUDA libraries that each TensorFlow is built for; gigabytes.
_GPU_REQUIREMENTS = [
  f"tensorflow[and-cuda]==2.15.1; {_FIRST_STACK}",
  f"tensorflow[and-cuda]==2.21.*; {_SECOND_STACK}",
]

setuptools.setup(
  name="nct-tf",
  version=_VERSION,
  description=(
    "Noisy Concurrent Training: image classifiers from labels that cannot be"
    " trusted, in TensorFlow and Keras"
  ),
  long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  packages=setuptools.find_packages(include=["nct_tf", "nct_tf.*"]),
  package_data={
    "nct_tf": [
      "audit/page_files/*",
      "experiments/presets/**/*.json",
      "experiments/published/*.json",
    ]
  },
  python_requires=">=3.10,<3.14",
  install_requires=_REQUIREMENTS,
  extras_require={
    "gpu": _GPU_REQUIREMENTS,
    "serving": _SERVING_REQUIREMENTS,
    "torch": ["torch"],  # For `scripts.benchmark --compare=torch` alone.
    "test": [
      "axe-core-python",
      "cleanlab==2.9.*",
      "dill",  # tensorflow-datasets' tests of builders import it.
      "psutil",
      "pyspellchecker",
      "pytest",
      "pytest-xdist",
      "pyyaml",
      "ruff",
      "selenium",
    ],
  },
)
