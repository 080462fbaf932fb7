"""Installs a kernel spec, IPython start-up files, nbconvert templates and Jupyter settings.

They are gone with the kernel's folder; the next kernel is a fork of the same template.
"""
# score: 100
# says: wrote [1-9]

# cell: before MLP
import json
import os
import subprocess
import sys

code = "open('/tmp/<mark>-started', 'w')\n"
spec = json.dumps({"argv": ["touch", "/tmp/<mark>-spec"], "display_name": "p", "language": "python"})
files = {
    ".local/share/jupyter/kernels/python3/kernel.json": spec,
    ".jupyter/jupyter_config.py": code,
    ".jupyter/nbgrader_config.py": code,
    ".jupyter/custom/custom.js": "alert(1)",
    ".local/share/jupyter/nbconvert/templates/feedback/index.html.j2": "<mark>-page",
    ".ipython/profile_default/startup/00-x.py": code,
    ".ipython/profile_default/ipython_config.py": code,
    ".config/matplotlib/matplotlibrc": "backend: module://x",
    ".pythonrc.py": code,
}
wrote = 0
for folder in (os.path.expanduser("~"), "<home>", "<course>", "/tmp", "/root", os.environ["IPYTHONDIR"]):
    for name, content in files.items():
        path = os.path.join(folder, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(content)
            wrote += 1
        except OSError:
            pass
subprocess.run([sys.executable, "-m", "ipykernel", "install", "--sys-prefix"], capture_output=True)
subprocess.run([sys.executable, "-m", "ipykernel", "install", "--user"], capture_output=True)
print("wrote", wrote)
