"""Work in processes of their own, which give all memory back when they end."""

import importlib
import multiprocessing
import os
import signal

from nct_tf.system import quiet


def run_each(function, arguments):
  """Calls a function for some arguments, one after another.

  What the function prints goes to stderr. Ctrl-C reaches this process alone,
  which then ends the other one.

  Args:
    function: of a module; it, its arguments and results are pickled.
    arguments: sequence of tuples, each for a process.

  Returns:
    list of what the calls returned.
  """
  # A fork would share the threads of TensorFlow.
  spawning = multiprocessing.get_context("spawn")
  with spawning.Pool(
    1, _begin, [function.__module__], maxtasksperchild=1
  ) as pool:
    results = pool.starmap_async(function, arguments, chunksize=1)
    # They end by themselves: killed, they would leave semaphores behind.
    pool.close()
    pool.join()
    return results.get()


def _begin(module):
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  os.dup2(2, 1)
  with quiet.silence():
    importlib.import_module(module)
