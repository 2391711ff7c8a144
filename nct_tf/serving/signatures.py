"""The signatures of an exported model, as graphs."""

import tensorflow as tf

from nct_tf import metrics, preprocessing
from nct_tf.models import classifier
from nct_tf.pictures import decoding, pixels

# Channels that the decoder can make of any picture.
DECODABLE_CHANNELS = (1, 3)

EXAMPLE_FEATURE = "image/encoded"

_IMAGE_BYTES = tf.TensorSpec([None], tf.string, name="image_bytes")
_EXAMPLES = tf.TensorSpec([None], tf.string, name="inputs")

# More than a server has cores: a batch of any size keeps them all busy.
_NUM_PARALLEL_IMAGES = 64

# With the header's length and name: only there stand width and height next.
_PNG_SIGNATURE = tuple(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
_JPEG_SIGNATURE = tuple(b"\xff\xd8\xff")
_PNG_BITS = 24  # After a PNG's width and height.
_HEADER_SIZE = _PNG_BITS + 1


def create(model, result, top_k=5, members=False):
  """Returns the functions that a SavedModel of this model offers.

  Each takes a batch of one or more, and includes the preprocessing. Where there
  are two networks, all but `serving_network1` and `serving_network2` answer for
  their ensemble.

  * `serving_default`: `images`, uint8 [batch, height, width, channels].
  * `serving_bytes`: `image_bytes`, string [batch], JPEG or PNG of any size.
  * `classify`: `inputs`, string [batch], each a serialized `tf.Example` with
    the bytes feature `image/encoded`.
  * `serving_network1`, `serving_network2`: as `serving_default`, of one
    network alone.

  `classify` answers `classes`, string, and `scores`, float32, both [batch,
  top_k], the likeliest first; the others `probabilities`, float32 [batch,
  num_classes], `class_id`, int64 [batch], `class_name`, string [batch],
  `score`, float32 [batch], the probability of that class, and, where there
  are two networks, `disagreement`, float32 [batch], the Kullback-Leibler
  divergence KL(network 1 || network 2) of their predictions, in nats.

  Args:
    model: a `Classifier`.
    result: dict of the run's `result.json`.
    top_k: int, at least 1; how many classes `classify` names, at most all.
    members: bool, whether to offer each network alone.

  Returns:
    dict from the signature's name to a pair: a function of a tensor that
    returns a dict of tensors, and the `tf.TensorSpec` of its argument. Where
    the images have other than 1 or 3 channels, no signature decodes.
  """
  images = tf.TensorSpec(
    [None, *result["image_shape"]], tf.uint8, name="images"
  )
  networks = [
    _network_function(network, images, result) for network in model.networks
  ]
  # Runs of earlier versions do not say, and stretched.
  resizing = result.get("resizing", "stretch")
  ensemble = _Questions(networks, images, result["class_names"], resizing)
  functions = {"serving_default": (ensemble.ask_images, images)}
  if images.shape[-1] in DECODABLE_CHANNELS:
    functions["serving_bytes"] = (ensemble.ask_bytes, _IMAGE_BYTES)
    functions["classify"] = (
      lambda inputs: ensemble.classify(inputs, top_k),
      _EXAMPLES,
    )
  if members:
    for number, network in enumerate(networks, start=1):
      member = _Questions([network], images, result["class_names"], resizing)
      functions[f"serving_network{number}"] = (member.ask_images, images)
  return functions


def _network_function(network, images, result):
  """Returns a function from images to logits, float32 [batch, num_classes].

  It is traced once. So the SavedModel holds the network once, however many
  signatures use it.
  """

  @tf.function(input_signature=[images])
  def logits(images):
    inputs = preprocessing.prepare(
      images, result["mean"], result["std"], result.get("crop_size")
    )
    return tf.cast(network(inputs, training=False), tf.float32)

  return logits


class _Questions:
  """Answers questions by one network, or by the ensemble of two.

  Args:
    networks: list of what `_network_function` returns.
    images: `tf.TensorSpec` of a batch of images.
    class_names: sequence of str.
    resizing: str, how encoded images get their size, see
      `preprocessing.resize`.
  """

  def __init__(self, networks, images, class_names, resizing):
    self._networks = networks
    self._resizing = resizing
    self._images = images
    self._class_names = tf.constant(class_names)

  def ask_images(self, images):
    return self._answer(_check(images, self._images))

  def ask_bytes(self, image_bytes):
    return self._answer(self._decode(_check(image_bytes, _IMAGE_BYTES)))

  def classify(self, inputs, top_k):
    features = tf.io.parse_example(
      _check(inputs, _EXAMPLES),
      {EXAMPLE_FEATURE: tf.io.FixedLenFeature([], tf.string)},
    )
    answer = self._answer(self._decode(features[EXAMPLE_FEATURE]))
    scores, class_ids = tf.math.top_k(
      answer["probabilities"], min(top_k, self._class_names.shape[0])
    )
    classes = tf.gather(self._class_names, class_ids)
    return {"classes": classes, "scores": scores}

  def _decode(self, image_bytes):
    shape = self._images.shape[1:]
    return tf.map_fn(
      lambda contents: decode(contents, shape, self._resizing),
      image_bytes,
      parallel_iterations=_NUM_PARALLEL_IMAGES,
      fn_output_signature=tf.TensorSpec(shape, tf.uint8),
    )

  def _answer(self, images):
    logits = [network(images) for network in self._networks]
    probabilities = tf.nn.softmax(classifier.ensemble_logits(logits))
    class_id = tf.argmax(probabilities, axis=-1)
    answer = {
      "probabilities": probabilities,
      "class_id": class_id,
      "class_name": tf.gather(self._class_names, class_id),
      "score": tf.reduce_max(probabilities, axis=-1),
    }
    disagreement = metrics.disagreement(logits)
    if disagreement is not None:
      answer["disagreement"] = disagreement
    return answer


def _check(values, spec):
  """Refuses an empty batch, and shapes that are not the argument's.

  Loaders do not check shapes, and a convolution takes images of many sizes.
  """
  values = tf.ensure_shape(values, spec.shape)
  check = tf.debugging.Assert(
    tf.shape(values)[0] > 0,
    [f"`{spec.name}` must hold at least one entry, and is empty"],
  )
  with tf.control_dependencies([check]):
    return tf.identity(values)


def decode(contents, shape, resizing="stretch"):
  """Decodes a JPEG or PNG in a graph.

  The pixels are those of `decoding.decode_bytes`, to the last bit, but for a
  JPEG of CMYK, and for what has EXIF data: it is not turned.

  Args:
    contents: string tensor [].
    shape: three ints, (height, width, channels), the last being 1 or 3.
    resizing: str, see `preprocessing.resize`.

  Returns:
    uint8 tensor [height, width, channels].
  """
  header = tf.io.decode_raw(contents, tf.uint8, fixed_length=_HEADER_SIZE)
  is_png = _starts_with(header, _PNG_SIGNATURE)
  with tf.control_dependencies([_check_size(contents, header, is_png)]):
    image = tf.cond(
      is_png,
      lambda: _decode_png(contents, header, shape[-1]),
      lambda: _decode_jpeg(contents, shape[-1]),
    )
  return preprocessing.resize(image, shape[:2], resizing)


def _decode_jpeg(contents, num_channels):
  def decode(channels):
    # As libjpeg does by default, and so Pillow. TensorFlow's own default is
    # less exact.
    return tf.io.decode_jpeg(
      contents, channels, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
    )

  if num_channels == 3:
    return decode(3)
  return tf.cond(
    tf.io.extract_jpeg_shape(contents)[-1] == 1,
    lambda: decode(1),
    lambda: _to_channels(decode(3), 1),
  )


def _decode_png(contents, header, num_channels):
  values = tf.io.decode_png(contents, channels=4)
  # What TensorFlow takes for opaque depends on the bits of a sample. It is 255
  # from 8 bits on, but 15, 3 or 1 below.
  bits = tf.minimum(header[_PNG_BITS], 8)
  opaque = tf.bitwise.right_shift(tf.constant(255, tf.uint8), 8 - bits)
  return tf.cond(
    tf.reduce_all(values[..., 3] == opaque),
    lambda: _to_channels(values, num_channels),
    lambda: _to_channels(_lay_on_white(values), num_channels),
  )


def _lay_on_white(values):
  """Does in a graph what `pixels.lay_on_white` does, to the last bit."""
  # Below 2**24, whole numbers are exact. The half keeps their quotients away
  # from whole numbers, whichever way a device rounds.
  values = tf.cast(values, tf.float32)
  colors, alpha = values[..., :3], values[..., 3:]
  mixed = colors * alpha + (255 * (255 - alpha) + 127.5)
  return tf.cast(mixed / 255, tf.uint8)


def _to_channels(image, num_channels):
  """Does in a graph what `pixels.to_channels` does, to the last bit.

  What stands after red, green and blue is left out.
  """
  if num_channels == 3:
    return image[..., :3]
  # No product of matrices, which GPUs round; and one channel after another,
  # which is faster than all at once.
  gray = 2.0**15
  for channel, weight in enumerate(pixels.LUMA):
    gray += weight * tf.cast(image[..., channel : channel + 1], tf.float32)
  return tf.cast(gray / 2**16, tf.uint8)


def _check_size(contents, header, is_png):
  """Refuses other formats than JPEG and PNG, and large images, undecoded."""
  is_jpeg = _starts_with(header, _JPEG_SIGNATURE)
  known = tf.debugging.Assert(
    is_png | is_jpeg, ["an image is neither a JPEG nor a PNG"]
  )
  with tf.control_dependencies([known]):
    num_pixels = tf.cond(
      is_png,
      lambda: _big_endian(header[16:20]) * _big_endian(header[20:24]),
      lambda: tf.reduce_prod(
        tf.cast(tf.io.extract_jpeg_shape(contents)[:2], tf.int64)
      ),
    )
  return tf.debugging.Assert(
    num_pixels <= decoding.MAX_PIXELS,
    [f"an image has more than {decoding.MAX_PIXELS} pixels:", num_pixels],
  )


def _starts_with(header, signature):
  return tf.reduce_all(
    header[: len(signature)] == tf.constant(signature, tf.uint8)
  )


def _big_endian(four_bytes):
  weights = tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
  return tf.reduce_sum(tf.cast(four_bytes, tf.int64) * weights)
