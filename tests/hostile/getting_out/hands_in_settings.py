"""Hands in files that programs of the grader's might read: settings, plug-ins, tests, packages.

They are files of the submission's folder, which nothing of the grader's runs in.
"""
# score: 100
# never: <mark>

# cell: before MLP
import os

print(len(os.listdir(".")))

# handed in:
code = "open('/tmp/<mark>-settings', 'w')\n"
for name in (
    "nbgrader_config.py",
    "jupyter_config.py",
    "jupyter_nbconvert_config.py",
    "ipython_config.py",
    "sitecustomize.py",
    "usercustomize.py",
    "conftest.py",
    "pytest.py",
    "torch.py",
    "numpy.py",
    "safetensors.py",
    "autograder.py",
    "json.py",
    "test_MyLinear.py",
    "setup.py",
    "x.pth",
):
    (folder / name).write_text(code)
(folder / "pytest.ini").write_text("[pytest]\naddopts = -p settings\n")
(folder / "templates").mkdir()
(folder / "templates" / "index.html.j2").write_text("<mark>")
(folder / ".ipynb_checkpoints").mkdir()
(folder / ".ipynb_checkpoints" / "parameters-checkpoint.ipynb").write_text("{}")
