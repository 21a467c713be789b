"""How busy this machine is: what a click may take is said for a quiet one."""

import os
import time

SPIN = 0.03  # seconds of computing


def patience() -> float:
    """How many times slower than a quiet machine this one is: as things are computed just now, or by the load per core
    of the last minute, whichever is more.
    """
    clock, computed = time.perf_counter(), time.process_time()
    while time.process_time() - computed < SPIN:
        pass
    now = (time.perf_counter() - clock) / SPIN
    return max(1.0, now, os.getloadavg()[0] / (os.cpu_count() or 1))
