"""What a model or a server says when it does not answer."""

import re

from nct_tf import errors

# Which one the clients ask.
SIGNATURE = "serving_bytes"

# Said where a server has no such model.
WHAT_TO_ASK = "(--model_name and --version or --version_label say what to ask)"


class RefusedError(errors.InvalidInputError):
  """The model refused a request for what is in it."""


def no_signature(where, signatures):
  """Returns the message for a model that takes no encoded images."""
  return (
    f"{where} has no signature {SIGNATURE}, but {', '.join(sorted(signatures))}"
  )


def reason(message):
  """Returns the reason in a message of TensorFlow's, without its wrapping."""
  text = str(message).removeprefix("Graph execution error:").lstrip()
  text = re.sub(r"\{\{[^}]*\}\}", " ", text.partition("\n")[0])
  asserted = re.search(r"assertion failed: (.*)", text)
  if asserted:
    text = " ".join(re.findall(r"\[(.*?)\]", asserted[1]))
  return " ".join(text.split())
