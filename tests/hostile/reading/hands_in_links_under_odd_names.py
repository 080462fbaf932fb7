"""Hands in links that lists of files leave out: notebooks of hidden names, folders named as patterns.

Wherever a link lies and whatever it is called, nothing is read through it, not even by nbgrader.
"""
# score: 100
# says: The file `?.a.ipynb`? was not used: it is a symbolic link
# says: The file `?a\[b\]/secret.txt`? was not used: it is a symbolic link
# says: The file `?sub/other.ipynb`? was not used: it is a hard link
# says: found: \['.b.ipynb', 'parameters.ipynb', 'plain.txt'\]

# cell: before MLP
import os

found = []
for where, folders, files in os.walk("."):
    for name in files:
        found.append(name)
        with open(os.path.join(where, name), errors="replace") as file:
            print(file.read(500))
print("found:", sorted(found))

# handed in:
import os

import nbformat

(folder / ".a.ipynb").symlink_to("<course>/gradebook.db")
(folder / "b.ipynb").symlink_to("<course>/source/notes.txt")
(folder / ".ipynb").symlink_to("<course>/beside-the-gradebook.txt")
(folder / "c.ipynb").symlink_to("<course>/submitted/m-honest/parameters")
(folder / "a[b]").mkdir()
(folder / "a[b]" / "secret.txt").symlink_to("<course>/holdout/labels.csv")
(folder / "a[b]" / ".d.ipynb").symlink_to("<root>/course_secret")
(folder / "a[b]" / "suites").symlink_to("<root>/autograder/suites")
(folder / "a[b]" / "plain.txt").write_text("nothing special")
(folder / "[!x]*").symlink_to("/etc")
(folder / "sub").mkdir()
os.link("<course>/source/notes.txt", folder / "sub" / "other.ipynb")
(folder / "parameters_files").symlink_to("<course>/holdout")
nbformat.write(nb, folder / "sub" / ".b.ipynb")
