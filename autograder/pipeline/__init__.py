"""What nbgrader calls: a file a step, in the order of `nbgrader_config.py`."""
