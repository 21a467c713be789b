"""Collecting, grading and exporting submissions. Trusted code: a student's code runs only in sandbox/."""
