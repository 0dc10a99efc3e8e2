"""What holds calls to their annotations while the tests run."""

from beartype import BeartypeConf, beartype

# A whole number will do where a number is asked for, as PEP 484 has it.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
