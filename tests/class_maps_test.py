from absl.testing import absltest, parameterized

from nct_tf import class_maps, errors

_CLOTHES = (
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
)
_CIFAR10 = (
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
)
_NUMBERS = tuple("0123456789")


class FindTest(parameterized.TestCase):
  @parameterized.parameters(
    ("mnist", _NUMBERS, {7: 1, 2: 7, 3: 8, 5: 6, 6: 5}),
    ("fashion_mnist", _CLOTHES, {0: 6, 2: 4, 5: 7}),
    ("fashion_mnist", _NUMBERS, {0: 6, 2: 4, 5: 7}),
    ("cifar10", _CIFAR10, {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}),
    ("cifar10", _NUMBERS, {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}),
  )
  def test_published_maps(self, name, class_names, expected):
    self.assertEqual(class_maps.find(name, class_names), expected)

  def test_cifar100_goes_round_in_blocks_of_five(self):
    found = class_maps.find("cifar100", [f"class {n}" for n in range(100)])
    self.assertEqual(
      [found[label] for label in range(10)], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5]
    )
    self.assertEqual(found[99], 95)
    self.assertLen(set(found.values()), 100)

  def test_classes_are_found_in_any_order_and_others_do_not_matter(self):
    names = sorted({*_CLOTHES, "Hat"})
    found = class_maps.find("fashion_mnist", names)
    self.assertEqual(
      {names[source]: names[target] for source, target in found.items()},
      {"T-shirt/top": "Shirt", "Pullover": "Coat", "Sandal": "Sneaker"},
    )

  @parameterized.parameters(
    ("cifar10", _CLOTHES, "needs .*bird, cat.*--noise_matrix.* Ankle boot$"),
    ("cifar100", _CIFAR10, "100 classes"),
    ("mnist", tuple(map(str, range(3, 43))), "classes 1, 2, .* 30 more"),
    ("svhn", _NUMBERS, "noise_map` must be one of mnist"),
  )
  def test_refuses_other_classes(self, name, class_names, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      class_maps.find(name, class_names)

  @parameterized.parameters(
    ("mnist", "mnist"),
    ("mnist:3.0.1", "mnist"),
    ("cifar10_n", "cifar10"),
    ("cifar100_n/x:1.0.0", "cifar100"),
    ("npz:fashion_mnist.npz", None),
    ("digits", None),
  )
  def test_datasets_with_a_map(self, dataset, expected):
    self.assertEqual(class_maps.find_name(dataset), expected)


if __name__ == "__main__":
  absltest.main()
