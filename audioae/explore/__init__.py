"""What the explorer asks of a store: points, columns, selections, codes. It reads; only verdicts are written."""
