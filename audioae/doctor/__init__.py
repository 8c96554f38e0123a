"""Whether this machine can do what a run needs: `audioae doctor`. Nothing here loads PyTorch or Prefect."""
