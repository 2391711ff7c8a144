"""Datasets that tensorflow-datasets lacks; importing this registers them.

The builders may import `nct_tf`'s own modules, and no other datasets.
"""

from nct_tf.datasets.tfds.builders.clothing1m import Clothing1M
from nct_tf.datasets.tfds.builders.tiny_imagenet import TinyImagenet
from nct_tf.datasets.tfds.builders.webvision_mini import WebvisionMini

__all__ = ["Clothing1M", "TinyImagenet", "WebvisionMini"]
