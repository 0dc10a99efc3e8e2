"""The loop, and what makes it safe to stop: see `run.py` and `stage.py`."""
