"""Predictions of a TF Serving over HTTP."""

import base64
from urllib import parse

import requests
from requests import adapters
import urllib3

from nct_tf import errors
from nct_tf.serving.clients import refusals


class _Retry(urllib3.Retry):
  """Repeats all but what came too late, which is an error over gRPC too."""

  def increment(self, *args, error=None, **kwargs):
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
      raise error
    return super().increment(*args, error=error, **kwargs)


class RestClient:
  """Asks the signature `serving_bytes` of a served model.

  Args:
    url: str, `http://host:port` of the server.
    model_name: str.
    version: int, or str of a label; None for the server's default.
    timeout_seconds: float, how long one answer may take.
    num_retries: int, how often a request is repeated when the server cannot
      be reached, hangs up or has too much to do.

  Raises:
    InvalidInputError: if the URL is none.
    ServerError: if no server answers, or if it has no such model.
  """

  def __init__(self, url, model_name, version, timeout_seconds, num_retries):
    if not url.startswith(("http://", "https://")):
      raise errors.InvalidInputError(
        f"Argument `rest_url` must begin with http:// or https://. Received: "
        f"{url}"
      )
    name = parse.quote(model_name, safe="")
    self._url = f"{url.rstrip('/')}/v1/models/{name}"
    if isinstance(version, int):
      self._url += f"/versions/{version}"
    elif version:
      self._url += f"/labels/{parse.quote(version, safe='')}"
    self._timeout_seconds = timeout_seconds
    self._session = requests.Session()
    adapter = adapters.HTTPAdapter(
      max_retries=_Retry(
        num_retries,
        backoff_factor=0.2,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
      )
    )
    self._session.mount("http://", adapter)
    self._session.mount("https://", adapter)
    self._check_model()

  def _check_model(self):
    response = self._request("GET", f"{self._url}/metadata")
    if response.status_code != requests.codes.ok:
      raise errors.ServerError(
        f"{self._url} is not served: {_error(response)} {refusals.WHAT_TO_ASK}"
      )
    signatures = self._read(
      response, "metadata", "signature_def", "signature_def"
    )
    if refusals.SIGNATURE not in signatures:
      raise errors.ServerError(refusals.no_signature(self._url, signatures))

  def predict(self, image_bytes):
    """As `LocalClient.predict`; raises `ServerError`, too."""
    response = self._request(
      "POST",
      f"{self._url}:predict",
      {
        "signature_name": refusals.SIGNATURE,
        "inputs": {
          "image_bytes": [
            {"b64": base64.b64encode(contents).decode()}
            for contents in image_bytes
          ]
        },
      },
    )
    if response.status_code == requests.codes.bad_request:
      raise refusals.RefusedError(refusals.reason(_error(response)))
    if response.status_code != requests.codes.ok:
      raise errors.ServerError(
        f"{self._url} answers {response.status_code}: {_error(response)}"
      )
    return self._read(response, "outputs")

  def _read(self, response, *keys):
    """Returns a dict in the answer of the server."""
    try:
      value = response.json()
      for key in keys:
        value = value[key]
      return dict(value)
    except (ValueError, KeyError, TypeError):
      raise errors.ServerError(
        f"{self._url} does not answer as TF Serving does"
      ) from None

  def _request(self, method, url, body=None):
    try:
      return self._session.request(
        method, url, json=body, timeout=self._timeout_seconds
      )
    except requests.Timeout as error:
      raise errors.ServerError(
        f"{url} gave no answer within {self._timeout_seconds:g} seconds"
      ) from error
    except requests.ConnectionError as error:
      raise errors.ServerError(
        f"No server answers at {url}: {_cause(error)}"
      ) from error
    except requests.RequestException as error:  # Like a URL without a host.
      raise errors.ServerError(f"{url} cannot be asked: {error}") from error


def _cause(error):
  """Returns why there is no connection, without what it was wrapped into."""
  reason = getattr(error.args[0] if error.args else None, "reason", error)
  return str(reason).rpartition(": ")[2]


def _error(response):
  """Returns what a server says is wrong."""
  try:
    return response.json()["error"]
  except (ValueError, KeyError, TypeError):
    return f"{response.status_code} {response.reason}"
