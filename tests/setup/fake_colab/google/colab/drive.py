"""google.colab.drive: `mount` needs a person's click, so nothing that runs by itself may call it."""


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    raise ValueError("mount failed")


def flush_and_unmount(timeout_ms=24 * 60 * 60 * 1000):
    pass
