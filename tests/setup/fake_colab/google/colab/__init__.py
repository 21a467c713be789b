"""Stands in for Colab's own package where the labs are tried without Colab: it is there, and whatever needs Google's
servers fails as it does there.

Put its parent folder `fake_colab` on PYTHONPATH and import google.colab before the first cell (COURSE_FAKE_COLAB=1 of
scripts/run_labs.py does both).
"""

from google.colab import _message, drive, files, output, userdata

__all__ = ["_message", "drive", "files", "output", "userdata"]
