"""The options of the methods that correct labels; see `options`."""

import dataclasses

from nct_tf.methods import options
from nct_tf.options import fields
