"""Puts a `.pth` file, a `sitecustomize` and poisoned bytecode among Python's packages.

They are read-only, and bytecode is written nowhere.
"""
# score: 100
# says: wrote: \[\]

# cell: before MLP
import glob
import os
import site
import subprocess
import sys
import sysconfig

line = "import os; os.system('touch /tmp/<mark>-python')\n"
wrote = []
folders = {*site.getsitepackages(), *sysconfig.get_paths().values(), "<site>", "<bin>", *sys.path}
for folder in folders:
    for name in ("x.pth", "sitecustomize.py", "usercustomize.py", "torch/x.py", "json.py"):
        path = os.path.join(folder, name)
        try:
            with open(path, "w") as file:
                file.write(line)
            wrote += [path] if folder and not folder.startswith(("/tmp", "/submission")) else []
        except OSError:
            pass
for path in glob.glob(f"{os.path.dirname(torch.__file__)}/__pycache__/*.pyc")[:5]:
    for attempt in (lambda: open(path, "r+b"), lambda: os.remove(path), lambda: os.chmod(path, 0o777)):
        try:
            attempt()
            wrote.append(path)
        except OSError:
            pass
torch.__dict__["x"] = line
subprocess.run([sys.executable, "-m", "pip", "install", "--no-index", "."], capture_output=True)
print("wrote:", wrote)
