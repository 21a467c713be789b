"""google.colab.files: `download` hands a file to the browser, `upload` asks for one."""

import os

downloaded = []  # paths, in order: what the browser would have been given


def download(filename):
    if not os.path.exists(filename):
        raise FileNotFoundError(f"Cannot find file: {filename}")
    downloaded.append(os.fspath(filename))


def upload():
    raise RuntimeError("files.upload waits for a person")
