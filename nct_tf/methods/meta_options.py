"""The options of the methods that learn how to learn; see `options`."""

import dataclasses

from nct_tf.methods import options
from nct_tf.options import fields
