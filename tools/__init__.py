"""The tools that run, check and address the notebooks: see `notebooks.py`."""
