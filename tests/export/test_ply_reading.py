"""What other programs write is read; what is broken is refused, with the place of the fault."""

import os
import re
import tracemalloc

import numpy as np
import pytest
from dialects import columns_of, dialects, ply_bytes, random_columns

from splatsmith.errors import InvalidFile
from splatsmith.export import read_ply
from splatsmith.export.frames import PLY

PLAIN = random_columns(1)
FILE = ply_bytes(PLAIN)
BODY = FILE.index(b"end_header\n") + len(b"end_header\n")


def read(tmp_path, data: bytes):
    path = tmp_path / "scene.ply"
    path.write_bytes(data)
    return read_ply(path)


def refusal(tmp_path, data: bytes) -> InvalidFile:
    with pytest.raises(InvalidFile) as caught:
        read(tmp_path, data)
    return caught.value


SAME = {n: d for n, d in dialects().items() if not n.startswith("degree")}


@pytest.mark.parametrize("name", SAME)
def test_every_dialect_says_the_same(tmp_path, name):
    scene = read(tmp_path, SAME[name])
    file = np.stack([PLAIN[axis] for axis in "xyz"], axis=1)
    np.testing.assert_array_equal(scene.means.detach(), PLY.inverse.points(file))
    for parameter, first in (("log_scales", "scale"), ("sh", "f_dc")):
        expected = np.stack([PLAIN[f"{first}_{i}"] for i in range(3)], axis=1)
        ours = getattr(scene, parameter).detach().reshape(4, 3)
        np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(scene.logit_opacities.detach(), PLAIN["opacity"])
    quats = np.stack([PLAIN[f"rot_{i}"] for i in range(4)], axis=1)
    np.testing.assert_array_equal(scene.quats.detach(), PLY.inverse.quats(quats))


@pytest.mark.parametrize(
    ("name", "rest", "seed"),
    [("degree 3", 45, 2), ("degree 1, big", 9, 3), ("degree 2, ascii", 24, 4)],
)
def test_harmonics_are_read_channel_by_channel(tmp_path, name, rest, seed):
    scene = read(tmp_path, dialects()[name])
    columns = random_columns(seed, rest=rest, count=scene.count)
    own = PLY.sh(scene.sh.detach().numpy())
    for channel in range(3):
        for number in range(rest // 3):
            expected = columns[f"f_rest_{channel * rest // 3 + number}"]
            np.testing.assert_allclose(own[:, 1 + number, channel], expected, atol=1e-6)


@pytest.mark.parametrize("cut", [0, 3, 4, 40, BODY - 1, BODY, BODY + 1, len(FILE) - 1])
def test_a_cut_file_is_refused(tmp_path, cut):
    error = refusal(tmp_path, FILE[:cut])
    assert error.offset is not None
    assert error.offset <= cut


def test_every_prefix_and_every_extension_is_refused(tmp_path):
    for form in ("ascii", "big"):
        data = ply_bytes(random_columns(2, count=2), form=form)
        # A last line without its end, or the last digits of its last number, cannot be missed.
        whole = len(data.rstrip()) - (20 if form == "ascii" else 0)
        for cut in range(0, whole, 3):
            refusal(tmp_path, data[:cut])
    assert refusal(tmp_path, FILE + b"\0").offset == len(FILE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e18])
@pytest.mark.parametrize("form", ["little", "big", "ascii"])
def test_the_first_bad_number_is_named(tmp_path, bad, form):
    columns = {name: values.copy() for name, values in PLAIN.items()}
    columns["opacity"][2] = bad
    data = ply_bytes(columns, form=form)
    error = refusal(tmp_path, data)
    assert error.reason.startswith("opacity of row 2 is")
    start = data.index(b"end_header\n") + len(b"end_header\n")
    place = columns_of(0).index("opacity")
    if form == "ascii":
        line = start + sum(len(row) + 1 for row in data[start:].split(b"\n")[:2])
        words = data[line:].split(b" ")
        assert error.offset == line + sum(len(word) + 1 for word in words[:place])
    else:
        assert error.offset == start + 4 * (2 * len(columns) + place)


def test_doubles_that_do_not_fit_are_refused(tmp_path):
    columns = {n: v.astype(float) for n, v in PLAIN.items()} | {"x": np.full(4, 1e300)}
    assert (
        "x of row 0 is 1e+300"
        in refusal(tmp_path, ply_bytes(columns, kinds={"x": "double"})).reason
    )


def test_scales_whose_exponential_overflows_are_refused(tmp_path):
    error = refusal(tmp_path, ply_bytes(PLAIN | {"scale_1": np.full(4, 81.0)}))
    assert error.reason == "scale_1 of row 0 is 81.0, but must be a number from -80 to 80"


def edited(old: bytes, new: bytes) -> bytes:
    assert old in FILE
    return FILE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"PNG" + FILE, "does not begin with", b""),
        (edited(b"vertex 4", b"vertex 5"), "promises at least", None),
        (edited(b"vertex 4", b"vertex 3"), "bytes follow", None),
        (edited(b"vertex 4", b"vertex 0"), "no rows", None),
        (edited(b"vertex 4", b"vertex -4"), "needs a name and a count", b"element"),
        (edited(b"vertex 4", b"vertex 10000001"), "at most 10000000", b"element"),
        (edited(b"vertex 4", b"vertex 4 4"), "needs a name and a count", b"element"),
        (edited(b"vertex", b"points"), "no element 'vertex'", None),
        (edited(b"float x", b"float w"), "lacks x", None),
        (edited(b"float x", b"float y"), "second property y", None),
        (edited(b"float x", b"real x"), "unknown type 'real'", b"property real"),
        (edited(b"float x", b"float"), "needs a type and a name", b"property float\n"),
        (edited(b"float x", b"list uchar float x"), "holds lists", None),
        (edited(b"float x", b"list float float x"), "cannot be a float", b"property list"),
        (edited(b"1.0", b"2.0"), "version 1.0", b"format"),
        (edited(b"little", b"middle"), "the format must be one of", b"format"),
        (edited(b"format binary_little_endian 1.0\n", b""), "without a 'format'", b"end_h"),
        (edited(b"element", b"elephant"), "cannot be 'elephant vertex 4'", b"elephant"),
        (edited(b"element", b"\nelement"), "empty or not plain text", b"\nelement"),
        (edited(b"end_header\n", b""), "empty or not plain text|ends within", None),
        (edited(b"property float x\n", b"property float f_rest_0\nproperty float x\n"),
         "promises|f_rest", None),
    ],
)  # fmt: skip
def test_broken_headers_are_refused_with_their_place(tmp_path, data, reason, line):
    error = refusal(tmp_path, data)
    assert re.search(reason, error.reason), error.reason
    if line is not None:
        assert error.offset == data.index(line)


@pytest.mark.parametrize(
    "word", ["1_0", "0x1", "one", "1.2.3", "1" * 65, "--1", "1e", "", "\xff"]
)
def test_words_that_are_no_numbers_are_refused(tmp_path, word):
    data = ply_bytes(PLAIN, form="ascii")
    first = repr(PLAIN["x"].tolist()[0]).encode()
    error = refusal(tmp_path, data.replace(first, word.encode("latin-1"), 1))
    assert error.offset == data.index(b"end_header\n") + 11


def test_the_number_of_harmonics_must_make_sense(tmp_path):
    columns = PLAIN | {f"f_rest_{i}": PLAIN["x"] for i in range(8)}
    assert "there are 8 columns f_rest_*" in refusal(tmp_path, ply_bytes(columns)).reason
    columns = PLAIN | {f"f_rest_{i + 1}": PLAIN["x"] for i in range(9)}
    assert "numbered from 0" in refusal(tmp_path, ply_bytes(columns)).reason


def test_other_kinds_of_ply_are_named(tmp_path):
    packed = {"packed_position": PLAIN["x"]}
    assert "compressed" in refusal(tmp_path, ply_bytes(packed)).reason
    points = {axis: PLAIN[axis] for axis in "xyz"}
    assert "point cloud or a mesh" in refusal(tmp_path, ply_bytes(points)).reason


def test_lists_that_run_past_the_end_are_refused(tmp_path):
    faces = "element face 1000000\nproperty list uint double corner"
    data = ply_bytes(PLAIN, before=faces, before_rows=b"\xff\xff\xff\xff" + bytes(4_000_000))
    assert "row 0 of element face runs past the end" in refusal(tmp_path, data).reason
    signed = ply_bytes(
        PLAIN, after="element f 1\nproperty list char int c", after_rows=b"\xff" + bytes(9)
    )
    assert "has length -1" in refusal(tmp_path, signed).reason
    many = ply_bytes(
        PLAIN, after=faces.replace("1000000", "1000001"), after_rows=bytes(4000004)
    )
    assert "at most 1000000 such rows" in refusal(tmp_path, many).reason


def test_caps_on_the_header(tmp_path):
    many = {f"p{i}": PLAIN["x"] for i in range(513)}
    assert "more than 512 properties" in refusal(tmp_path, ply_bytes(many)).reason
    long = "".join(f"comment {'c' * 90}\n" for _ in range(700))
    error = refusal(tmp_path, edited(b"element", long.encode() + b"element"))
    assert error.reason == "no 'end_header' within the first 65536 bytes"
    elements = "\n".join(f"element e{i} 0" for i in range(64))
    assert (
        "more than 64 elements" in refusal(tmp_path, ply_bytes(PLAIN, before=elements)).reason
    )


def test_a_header_that_lies_costs_no_memory(tmp_path):
    lie = edited(b"vertex 4", b"vertex 10000000")
    columns = {f"c{i}": PLAIN["x"] for i in range(400)} | PLAIN
    wide = ply_bytes(columns, form="ascii").replace(b"vertex 4", b"vertex 9999999", 1)
    tracemalloc.start()
    for data in (lie, wide):
        assert "promises at least" in refusal(tmp_path, data).reason
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_what_is_not_a_file_is_refused_at_once(tmp_path):
    with pytest.raises(InvalidFile, match="No such file"):
        read_ply(tmp_path / "none.ply")
    with pytest.raises(InvalidFile):
        read_ply(tmp_path)
    os.mkfifo(tmp_path / "pipe.ply")
    with pytest.raises(InvalidFile, match="not a regular file"):
        read_ply(tmp_path / "pipe.ply")
