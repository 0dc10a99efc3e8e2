"""Plain tables into dataclasses: what is taken, what is refused and with which words."""

import tomllib
from dataclasses import dataclass, field
from typing import Literal

import pytest

from splatsmith.errors import InputError
from splatsmith.recipes.tables import Place, inline, plain, read


@dataclass(frozen=True, kw_only=True)
class Slow:
    kind: Literal["slow"] = "slow"
    wait: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Fast:
    kind: Literal["fast"] = "fast"
    gear: int = 3


@dataclass(frozen=True, kw_only=True)
class Car:
    name: str
    open: bool = False
    range: tuple[float, float] = (0.0, 1.0)
    tags: tuple[str, ...] = ()
    engine: Slow | Fast = field(default_factory=Slow)
    spare: Fast | None = None
    rate: float | Slow = 0.5

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("name must not be bad.")


HERE = Place("car.toml", "shape")


def car(**values):
    return read(Car, {"name": "a", **values}, HERE)


def test_all_kinds_of_values_are_read():
    made = car(
        open=True,
        range=[1, 2.5],
        tags=["x", "y"],
        engine={"kind": "fast", "gear": 5},
        spare={"gear": 2},
        rate={"wait": 3},
    )
    assert made == Car(
        name="a",
        open=True,
        range=(1.0, 2.5),
        tags=("x", "y"),
        engine=Fast(gear=5),
        spare=Fast(gear=2),
        rate=Slow(wait=3.0),
    )
    assert isinstance(made.rate.wait, float)


def test_what_is_written_reads_back_equal():
    made = car(name='quotes " and \\ and \n and \x7f and ü', spare={"gear": 2}, tags=["é"])
    text = "\n".join(f"{key} = {inline(value)}" for key, value in plain(made).items())
    assert read(Car, tomllib.loads(text), HERE) == made


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"opne": 1}, 'key opne: unknown key.\n  Known keys: engine, name, open, range, rate, '
                      'spare, tags.   Did you mean "open"?'),
        ({"engine": {"kind": "fast", "gaer": 1}}, 'key engine.gaer: unknown key.\n  '
                                'Known keys of engine: gear, kind.   Did you mean "gear"?'),
        ({"open": 1}, "key open: must be true or false, got 1."),
        ({"name": 3}, "key name: must be a text, got 3."),
        ({"engine": {"kind": "fast", "gear": 1.5}}, "key engine.gear: must be a whole number, "
                                                    "got 1.5."),
        ({"engine": {"kind": "fast", "gear": True}}, "key engine.gear: must be a whole number, "
                                                     "got true."),
        ({"rate": "quick"}, 'key rate: must be a number, got "quick".'),
        ({"rate": float("nan")}, "key rate: must be a number, got nan."),
        ({"engine": {"kind": "fats"}}, 'key engine.kind: must be one of slow, fast, got '
                                       '"fats".\n  Did you mean "fast"?'),
        ({"engine": {"gear": 1}}, "key engine.kind: is missing; it is one of slow, fast."),
        ({"engine": 4}, "key engine: must be a table, got 4."),
        ({"range": [1]}, "key range: must be a list of 2 values, got [1]."),
        ({"range": 1}, "key range: must be a list, got 1."),
        ({"tags": ["a", 1]}, "key tags.1: must be a text, got 1."),
        ({"name": "bad"}, "name must not be bad."),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_file_stage_and_key(values, message):
    with pytest.raises(InputError) as caught:
        car(**values)
    separator = ", " if message.startswith("key") else ": "
    assert str(caught.value) == f'car.toml, stage "shape"{separator}{message}'


def test_a_missing_key_is_named():
    with pytest.raises(InputError, match=r'stage "shape", key name: is missing\.'):
        read(Car, {}, HERE)
