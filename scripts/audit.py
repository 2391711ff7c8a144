"""Ranks a finished run's training labels by how likely they are wrong.

Writes audit/ into the run's folder: index.html to look at, labels.csv, figures
as audit.json, and what cleanlab takes, labels.npy and pred_probs.npy.

Example:
  python -m scripts.audit --workdir=runs/digits
"""

from flags import audit_flags, cache_flags, weights_flags, workdir_flags
from scripts import cli


def main():
  with cli.silence():
    from nct_tf.audit import report, run_audit
    from nct_tf.workdir import layout

  directory = layout.Workdir(workdir_flags.WORKDIR.value)
  result = run_audit.audit_run(
    directory,
    audit_flags.FOLDS.value,
    weights_flags.CHECKPOINT.value,
    weights_flags.USE_EMA.value,
    cache_flags.CACHE.value,
    cache_flags.CACHE_DIR.value,
  )
  print(report.format_audit(report.summarize(result)))
  print(f"To look at: {directory.audit_dir / 'index.html'}")


if __name__ == "__main__":
  cli.run(
    main,
    audit_flags,
    workdir_flags,
    weights_flags,
    cache_flags,
    required=["workdir"],
  )
