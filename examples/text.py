"""Words with the wrong language: NCT, and a label audit, on text.

`python -m examples.text` uses the 1,000 most frequent words of each of seven
languages that have five letters or more and are in no other language's list.
They were counted in film subtitles, and come with the package pyspellchecker. A
network reads a word letter by letter and tells its language.
"""

import collections
import sys

import numpy as np
from sklearn import model_selection

from nct_tf.system import quiet

with quiet.silence():
  import keras

  from examples import training

LANGUAGES = {
  "de": "German",
  "en": "English",
  "es": "Spanish",
  "fr": "French",
  "it": "Italian",
  "nl": "Dutch",
  "pt": "Portuguese",
}
NUM_WORDS = 1000  # Of each language.
NUM_LETTERS = 16  # Longer words are cut off.


def read_words():
  """Returns the words, a list of str, and their languages, an int array."""
  try:
    import spellchecker
  except ImportError:
    sys.exit("examples.text needs word lists: pip install pyspellchecker")
  counts = [
    spellchecker.SpellChecker(language=code).word_frequency.dictionary
    for code in LANGUAGES
  ]
  num_lists = collections.Counter(word for words in counts for word in words)
  chosen = []
  for words in counts:
    own = [
      word
      for word in words
      if num_lists[word] == 1 and len(word) >= 5 and word.isalpha()
    ]
    own.sort(key=words.get, reverse=True)
    chosen += own[:NUM_WORDS]
  return chosen, np.repeat(np.arange(len(LANGUAGES)), NUM_WORDS)


def load(seed):
  """Returns the `training.Task`."""
  words, languages = read_words()
  # Marks at both ends tell the network where a word begins and ends.
  marked = np.array([f"^{word}$" for word in words])
  vectorization = keras.layers.TextVectorization(
    standardize=None, split="character", output_sequence_length=NUM_LETTERS
  )
  vectorization.adapt(marked)
  letters = np.asarray(vectorization(marked))
  train, test = model_selection.train_test_split(
    np.arange(len(words)),
    test_size=0.3,
    stratify=languages,
    random_state=seed,
  )

  def network():
    return keras.Sequential(
      [
        keras.Input((NUM_LETTERS,)),
        keras.layers.Embedding(vectorization.vocabulary_size(), 16),
        keras.layers.Conv1D(96, 4, activation="relu"),
        keras.layers.GlobalMaxPooling1D(),
        keras.layers.Dense(len(LANGUAGES)),
      ]
    )

  return training.Task(
    train=letters[train],
    train_labels=languages[train],
    train_names=[words[number] for number in train],
    test=letters[test],
    test_labels=languages[test],
    class_names=list(LANGUAGES.values()),
    network=network,
    num_epochs=30,
    batch_size=128,
    learning_rate=0.003,
  )


def main(seed=0):
  """Trains, audits and prints."""
  training.run(load(seed), seed)


if __name__ == "__main__":
  main()
