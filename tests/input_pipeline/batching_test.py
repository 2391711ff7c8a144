import functools

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf.input_pipeline import batching, noisy_dataset, sampling
from tests.support import long_tests

NUM_EXAMPLES = 23
# Every image tells its number, every label too.
IMAGES = np.arange(NUM_EXAMPLES, dtype=np.uint8)[
  :, None, None, None
] + np.zeros((1, 6, 6, 1), np.uint8)
LABELS = np.arange(NUM_EXAMPLES)
INDEX = np.arange(NUM_EXAMPLES)
EXAMPLES = noisy_dataset.Examples(IMAGES, LABELS, LABELS + 100, INDEX)


@functools.cache
def batches(**arguments):
  """Returns what tests share and only read."""
  return list(training_dataset(EXAMPLES, **arguments).as_numpy_iterator())


def training_dataset(
  examples, first_step=0, replicas=range(1), num_replicas=1, **settings
):
  settings = {
    "batch_size": 5,
    "num_epochs": 2,
    "mean": [0.0],
    "std": [1 / 255],
  } | settings
  return batching.Batching(**settings).train(
    examples, first_step, replicas, num_replicas
  )


class TrainingDatasetTest(parameterized.TestCase):
  def test_each_epoch_has_each_example_once_in_its_own_order(self):
    result = batches(num_epochs=3)
    self.assertLen(result, 3 * batching.steps_per_epoch(NUM_EXAMPLES, 5))
    labels = np.concatenate([targets["label"] for _, targets in result])
    epochs = labels.reshape(3, NUM_EXAMPLES)
    for epoch in epochs:
      np.testing.assert_array_equal(np.sort(epoch), LABELS)
    self.assertTrue((epochs[0] != epochs[1]).any())
    self.assertTrue((epochs[0] != LABELS).any())

  def test_the_last_batch_is_kept(self):
    sizes = [len(images) for images, _ in batches()]
    self.assertEqual(sizes, [5, 5, 5, 5, 3] * 2)

  def test_images_labels_and_positions_belong_together(self):
    for images, targets in batches():
      np.testing.assert_allclose(images[:, 0, 0, 0], targets["label"])
      np.testing.assert_array_equal(
        targets["true_label"], targets["label"] + 100
      )
      np.testing.assert_array_equal(targets["position"], np.arange(len(images)))

  @parameterized.parameters("none", "crop_flip")
  def test_depends_on_the_seed_alone(self, augmentation):
    longer = batches(num_epochs=4, augmentation=augmentation)
    shorter = batches(num_epochs=2, augmentation=augmentation)
    for (a, _), (b, _) in zip(longer, shorter, strict=False):
      np.testing.assert_array_equal(a, b)
    other = batches(num_epochs=4, augmentation=augmentation, seed=1)
    self.assertTrue((longer[0][0] != other[0][0]).any())

  def test_augmentation_differs_from_epoch_to_epoch(self):
    result = batches(augmentation="crop_flip", batch_size=NUM_EXAMPLES)
    (first, targets1), (second, targets2) = result
    first = first[np.argsort(targets1["label"])]
    second = second[np.argsort(targets2["label"])]
    self.assertTrue((first != second).any())


class ViewsTest(absltest.TestCase):
  """Each example as several images, augmented independently."""

  SETTINGS = {"num_views": 2, "augmentation": "crop_flip", "num_epochs": 1}

  def test_views_are_augmented_independently(self):
    for images, targets in batches(**self.SETTINGS):
      self.assertEqual(images.shape, (len(targets["label"]), 2, 6, 6, 1))
      self.assertTrue((images[:, 0] != images[:, 1]).any())

  def test_without_augmentation_they_are_the_image(self):
    views = training_dataset(EXAMPLES, num_views=2)
    images, targets = next(iter(views.as_numpy_iterator()))
    np.testing.assert_array_equal(images[:, 0], images[:, 1])
    np.testing.assert_allclose(images[:, 0, 0, 0, 0], targets["label"])

  def test_shares_of_a_run_that_goes_on_are_the_same(self):
    rest = batches(**self.SETTINGS)[3:]
    shares = batches(
      **self.SETTINGS, first_step=3, replicas=range(2), num_replicas=2
    )
    self.assertLen(shares, 2 * len(rest))
    for number, (expected, _) in enumerate(rest):
      parts = [part for part, _ in shares[2 * number : 2 * number + 2]]
      np.testing.assert_array_equal(np.concatenate(parts), expected)


class ReplicasTest(parameterized.TestCase):
  """Every replica gets what the whole batch has at its positions."""

  @parameterized.product(
    num_replicas=(2, 3), augmentation=("none", "crop_flip")
  )
  def test_shares_make_up_the_batch(self, num_replicas, augmentation):
    whole = batches(augmentation=augmentation)
    shares = batches(
      augmentation=augmentation,
      replicas=range(num_replicas),
      num_replicas=num_replicas,
    )
    self.assertLen(shares, num_replicas * len(whole))
    for number, (images, targets) in enumerate(whole):
      parts = shares[number * num_replicas :][:num_replicas]
      np.testing.assert_array_equal(
        np.concatenate([part for part, _ in parts]), images
      )
      for name, values in targets.items():
        np.testing.assert_array_equal(
          np.concatenate([part[name] for _, part in parts]), values
        )
      sizes = [len(part) for part, _ in parts]
      self.assertLessEqual(max(sizes) - min(sizes), 1)

  def test_machines_read_their_own_shares_and_none_twice(self):
    whole = batches(batch_size=6, num_replicas=4, replicas=range(4))
    machines = [
      batches(batch_size=6, num_replicas=4, replicas=replicas)
      for replicas in (range(2), range(2, 4))
    ]
    self.assertLen(machines[0], len(whole) // 2)
    for start in range(0, len(whole), 4):
      for machine, own in enumerate(machines):
        for local in range(2):
          np.testing.assert_array_equal(
            own[start // 2 + local][1]["label"],
            whole[start + 2 * machine + local][1]["label"],
          )

  @parameterized.parameters(1, 5, 9, *long_tests.also(0, 4, 7))
  def test_going_on_gives_what_would_have_come(self, first_step):
    whole = batches(augmentation="crop_flip")
    rest = batches(augmentation="crop_flip", first_step=first_step)
    self.assertLen(rest, len(whole) - first_step)
    for (images, targets), (expected, _) in zip(
      rest, whole[first_step:], strict=True
    ):
      np.testing.assert_array_equal(images, expected)
      self.assertEqual(set(targets["step"]), {first_step})
      first_step += 1


# As many examples of each of three classes, of six.
COUNTS = (15, 6, 2)
GIVEN = np.repeat([0, 2, 5], COUNTS)
UNBALANCED = noisy_dataset.Examples(IMAGES, GIVEN, LABELS, INDEX)


@functools.cache
def drawn_examples(**settings):
  """Returns the examples of each batch, which tests share and only read."""
  settings = {"mean": [0.0], "std": [1.0], "seed": 3, **settings}
  dataset = training_dataset(UNBALANCED, **settings)
  return [targets["example"] for _, targets in dataset.as_numpy_iterator()]


class BalancedSamplingTest(parameterized.TestCase):
  def drawn(self, num_epochs=6, **arguments):
    return drawn_examples(
      batch_size=5, num_epochs=num_epochs, sampling="balanced", **arguments
    )

  def test_classes_come_equally_often(self):
    epochs = np.concatenate(self.drawn()).reshape(6, NUM_EXAMPLES)
    totals = np.zeros(6, int)
    for epoch in epochs:
      counts = np.bincount(GIVEN[epoch], minlength=6)
      self.assertCountEqual(counts[[0, 2, 5]], [7, 8, 8])
      totals += counts
    np.testing.assert_array_equal(totals[[0, 2, 5]], [46, 46, 46])

  def test_none_of_a_class_comes_twice_before_all_came_once(self):
    epoch = np.concatenate(self.drawn(num_epochs=1))
    times = np.bincount(epoch, minlength=NUM_EXAMPLES)
    for label in (0, 2, 5):
      of_class = times[label == GIVEN]
      self.assertLessEqual(of_class.max() - of_class.min(), 1)

  def test_epochs_differ_and_all_come_in_the_end(self):
    epochs = np.concatenate(self.drawn(12)).reshape(12, NUM_EXAMPLES)
    self.assertLen({tuple(epoch) for epoch in epochs.tolist()}, 12)
    self.assertLen(set(epochs.ravel().tolist()), NUM_EXAMPLES)

  @parameterized.parameters((5,), *long_tests.also((3,), (17,)))
  def test_going_on_gives_what_would_have_come(self, first_step):
    whole, rest = self.drawn(), self.drawn(first_step=first_step)
    for expected, actual in zip(whole[first_step:], rest, strict=True):
      np.testing.assert_array_equal(actual, expected)


class BalancedSubsetTest(parameterized.TestCase):
  def drawn(self, num_examples_per_epoch=11, num_epochs=4, **arguments):
    return drawn_examples(
      batch_size=4,
      num_epochs=num_epochs,
      sampling="balanced_subset",
      num_examples_per_epoch=num_examples_per_epoch,
      **arguments,
    )

  def size(self, num_examples_per_epoch):
    return sampling.examples_per_epoch(
      GIVEN, "balanced_subset", num_examples_per_epoch
    )

  @parameterized.parameters(
    # A third is 4 of each class, but the last one has 2.
    (11, 10, [(4, 4, 2)]),
    (6, 6, [(2, 2, 2)]),
    # A third, rounded up, is 2 of each: one of them is one too many.
    (5, 5, [(1, 2, 2), (2, 1, 2), (2, 2, 1)]),
    (999, 23, [(15, 6, 2)]),
  )
  def test_takes_at_most_its_part_of_each_class(self, number, size, possible):
    self.assertEqual(self.size(number), size)
    drawn = np.concatenate(self.drawn(number, num_epochs=12))
    epochs = drawn.reshape(12, size)
    seen = set()
    for epoch in epochs:
      self.assertLen(set(epoch.tolist()), size)  # None twice.
      seen.add(tuple(np.bincount(GIVEN[epoch], minlength=6)[[0, 2, 5]]))
    self.assertEqual(seen, set(possible))

  def test_is_what_a_slow_loop_takes(self):
    epochs = np.concatenate(self.drawn()).reshape(4, 10)
    natural = training_dataset(
      UNBALANCED,
      batch_size=NUM_EXAMPLES,
      num_epochs=4,
      mean=[0.0],
      std=[1.0],
      seed=3,
    )
    for epoch, (_, targets) in zip(
      epochs, natural.as_numpy_iterator(), strict=True
    ):
      expected, taken = [], {0: 0, 2: 0, 5: 0}
      for example in targets["example"]:
        if taken[GIVEN[example]] < 4:
          taken[GIVEN[example]] += 1
          expected.append(example)
      self.assertCountEqual(epoch, expected)

  def test_rare_classes_come_as_early_as_others(self):
    epochs = np.concatenate(self.drawn(num_epochs=200)).reshape(200, 10)
    for label in (0, 2, 5):
      _, places = np.nonzero(GIVEN[epochs] == label)
      self.assertAlmostEqual(places.mean(), 4.5, delta=0.5)

  def test_epochs_and_seeds_differ_and_all_come_in_the_end(self):
    epochs = np.concatenate(self.drawn(num_epochs=40)).reshape(40, 10)
    self.assertLen({tuple(epoch) for epoch in epochs.tolist()}, 40)
    self.assertLen(set(epochs.ravel().tolist()), NUM_EXAMPLES)
    other = np.concatenate(self.drawn(num_epochs=1, seed=4))
    self.assertTrue((epochs[0] != other).any())

  @parameterized.parameters((3,), *long_tests.also((2,), (7,)))
  def test_going_on_gives_what_would_have_come(self, first_step):
    whole, rest = self.drawn(), self.drawn(first_step=first_step)
    for expected, actual in zip(whole[first_step:], rest, strict=True):
      np.testing.assert_array_equal(actual, expected)


class EvaluationDatasetTest(parameterized.TestCase):
  @parameterized.parameters(
    (1, 10, [10, 10, 3]),
    (2, 10, [10, 10, 3]),
    (2, 22, [21, 2]),  # 22 and 1 would leave a replica without an example.
    (4, 10, [9, 9, 5]),
    (23, 99, [23]),
    (22, 99, [23]),
    (50, 99, [50] * 23),  # Too few for all: everything 50 times.
  )
  def test_every_replica_has_a_share_of_every_batch(
    self, num_replicas, batch_size, sizes
  ):
    dataset = batching.Batching([0.0], [1.0]).evaluate(
      EXAMPLES, batch_size, range(num_replicas), num_replicas
    )
    shares = [targets["label"] for _, targets in dataset.as_numpy_iterator()]
    self.assertGreater(min(map(len, shares)), 0)
    counts = np.bincount(np.concatenate(shares))
    self.assertLen(set(counts.tolist()), 1)
    batches = [
      sum(map(len, shares[start : start + num_replicas]))
      for start in range(0, len(shares), num_replicas)
    ]
    self.assertEqual(batches, sizes)
    self.assertEqual(
      batching.evaluation_sizes(NUM_EXAMPLES, batch_size, num_replicas),
      sizes,
    )

  def test_keeps_order_and_normalises(self):
    dataset = batching.Batching([0.5], [0.25]).evaluate(EXAMPLES, 10)
    result = list(dataset.as_numpy_iterator())
    self.assertEqual([len(images) for images, _ in result], [10, 10, 3])
    images = np.concatenate([images for images, _ in result])
    np.testing.assert_allclose(images, (IMAGES / 255 - 0.5) / 0.25, atol=1e-6)
    labels = np.concatenate([targets["label"] for _, targets in result])
    np.testing.assert_array_equal(labels, LABELS)


if __name__ == "__main__":
  absltest.main()
