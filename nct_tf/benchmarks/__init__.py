"""What is measured: training steps, serving, scaling, label audits."""
