from absl.testing import absltest, parameterized

from nct_tf import config, methods
from nct_tf.serving import model_card

_RESULT = {
  "dataset": "digits",
  "num_train_examples": 100,
  "image_shape": [8, 8, 1],
  "class_names": ["zero", "one|two"],
  "noise_type": "pair_flip",
  "noise_rate": 0.3,
  "actual_noise_rate": 0.25,
  "noise_seed": 0,
  "network": "mlp",
  "width": 8,
  "num_parameters": 12345,
  "num_epochs": 2,
  "seed": 0,
  "best_accuracy": 0.9,
  "best_selected_on": "test",
  "last_accuracy": 0.8,
  "last10_accuracy": 0.85,
  "network1_accuracy": 0.7,
  "network2_accuracy": None,
  "train_accuracy_clean": 0.6,
  "train_accuracy_noisy": None,
  "git_commit": None,
  "nct_tf": "1.0",
  "tensorflow": "2.0",
  "keras": "3.0",
}


class FormatCardTest(parameterized.TestCase):
  @parameterized.parameters(*methods.names())
  def test_says_what_the_method_says_of_itself(self, method):
    options = methods.get_options(method)
    result = {**_RESULT, "method": method, "uses": ["a crystal ball"]}
    if options.NUM_NETWORKS == 2:
      result["network2_accuracy"] = 0.75
    card = model_card.format_card(config.TrainConfig(), result, "digits", 3)
    text = " ".join(card.split())  # However its lines are wrapped.
    for part in (
      "# digits, version 3",
      f"{options.TITLE}",
      options.REFERENCE,
      options.SUMMARY,
      f"* {options.ADVICE}",
      "| network 1 alone | 70.0 % |",
      "It uses a crystal ball, which nobody knows of real data",
    ):
      self.assertIn(part, text)
    self.assertEqual("disagreement" in text, options.NUM_NETWORKS == 2)
    self.assertEqual(
      "| network 2 alone | 75.0 % |" in text, options.NUM_NETWORKS == 2
    )
    self.assertNotIn("None", text)
    paragraph = card[card.index("## Method") : card.index("| network |")]
    self.assertLessEqual(max(map(len, paragraph.splitlines())), 80)

  @parameterized.parameters((1, True), (3, True), (4, False))
  def test_says_what_clients_have_to_send(self, num_channels, has_bytes):
    result = {
      **_RESULT,
      "method": "standard",
      "image_shape": [8, 8, num_channels],
    }
    card = model_card.format_card(config.TrainConfig(), result, "digits", 3)
    self.assertEqual("do not turn a picture" in card, has_bytes)
    self.assertEqual("send a PNG of the upright" in card, has_bytes)

  @parameterized.parameters(
    ({}, "On the clean test split", "right training labels"),
    (
      {
        "test_labels": "given",
        "noise_type": "none",
        "actual_noise_rate": 0.0,
        "test_parts": {"decided": {"num_examples": 7, "accuracy": 0.25}},
      },
      "On the test split's given labels",
      "given training labels",
    ),
  )
  def test_says_what_is_known_of_the_labels(self, changes, test, train):
    result = {**_RESULT, "method": "standard", **changes}
    card = model_card.format_card(config.TrainConfig(), result, "digits", 3)
    self.assertIn(f"\n{test}, unless said otherwise.\n", card)
    self.assertIn(f"| {train} that are reproduced | 60.0 % |", card)
    self.assertEqual("\n* Nobody knows which" in card, bool(changes))
    row = "| decided test labels (7) | 25.0 % |"
    self.assertEqual(row in card, bool(changes))


if __name__ == "__main__":
  absltest.main()
