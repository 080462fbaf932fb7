"""Hands in outputs of a hundred megabytes, and millions of values in them.

They are thrown away before anything is made of them, and the notebook is graded.
"""
# score: 100

# handed in:
import json

import nbformat

whole = json.loads(nbformat.writes(nb))
code = [cell for cell in whole["cells"] if cell["cell_type"] == "code"]
code[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 10**8}]
code[1]["outputs"] = [{"data": {"application/json": [[]] * 10**6}, "outputs": "]}" * 10**6}]
whole["metadata"]["widgets"] = {"state": [{}] * 10**6, "cells": [{"source": 1}]}
(folder / "parameters.ipynb").write_text(json.dumps(whole))
