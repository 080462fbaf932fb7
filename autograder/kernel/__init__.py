"""The student kernel, as the grader drives it; `inside.py` alone runs in it."""
