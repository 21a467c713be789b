"""What more than one lab shows: the reader's guess, the real model or a word on how to get it, a comparison where its
library is installed.
"""

import functools
import importlib.util
import logging
import warnings
from typing import Any

from course_lib.stages import real

# of TRL's configs: what makes a trainer run anywhere and silently; none of it changes what is learned
QUIET: dict[str, Any] = {
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "log_level": "error",
    "bf16": False,
    "activation_checkpointing": False,
}


def guessed(words) -> None:
    """Repeats what the reader has guessed, if they have."""
    if str(words).strip():
        print(f"You guessed: {words}.")


def smollm2():
    """(model, tokenizer) of the real model; None where it is not here, with a line that says how to get it."""
    if (loaded := real.smollm2()) is None:
        print(real.NOT_HERE)
    return loaded


def where_installed(*packages: str):
    """A comparison that takes place where the packages are installed; elsewhere it says that it is left out."""

    def decorated(compare):
        @functools.wraps(compare)
        def made(*args):
            missing = [name for name in packages if importlib.util.find_spec(name) is None]
            if not missing:
                return compare(*args)
            print(f"{missing[0]} is not installed here, so this comparison is left out.")

        return made

    return decorated


def trl_library():
    """The module trl, quiet; None with one line where it, or what it needs, is not installed."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it would say that a faster kernel is not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import trl
            from transformers.utils.logging import disable_progress_bar, set_verbosity_error

            import datasets
        except ImportError as error:
            print(f"{error.name} is not installed here, so the comparison with TRL is left out.")
            return None
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing")  # TRL 1.16 asks transformers 5 by an old name
    # it would advise weights by the few thumbs of a comparison, just below those that a lab takes from all thumbs
    logging.getLogger("trl.trainer.kto_trainer").setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    disable_progress_bar()
    set_verbosity_error()
    return trl
