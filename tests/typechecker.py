"""What jaxtyping's import hook calls: beartype, with an int allowed where a float is declared (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
