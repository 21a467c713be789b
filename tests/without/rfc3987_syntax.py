"""In the place of a library that is there: scripts/test.sh puts this folder on the path.

jsonschema tries it for a format that no notebook has, and does without where it cannot be imported. It makes a grammar
for three seconds, in each process that imports nbformat: pytest's own, JupyterLab, nbgrader, `course build`.
"""

raise ImportError("not in the tests")
