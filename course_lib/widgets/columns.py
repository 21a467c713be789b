"""Texts side by side in plain characters, for before and after."""

import textwrap


def columns(titles: list[str], texts: list[str], width: int = 42) -> str:
    """The texts as columns of `width` characters under their titles, each wrapped at blanks and kept to its own line
    breaks.

    Two columns of 42 fit into JupyterLab's output beside its file browser on a small screen."""
    wrapped = []
    for title, text in zip(titles, texts, strict=True):
        lines = [piece for line in (text.splitlines() or [""]) for piece in textwrap.wrap(line, width) or [""]]
        wrapped.append([title[:width], "─" * width, *lines])
    height = max(map(len, wrapped), default=0)
    rows = zip(*(lines + [""] * (height - len(lines)) for lines in wrapped))
    return "\n".join(" │ ".join(cell.ljust(width) for cell in row).rstrip() for row in rows)
