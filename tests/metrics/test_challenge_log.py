"""The challenge's log: what is written is read back, and what cannot be is named with its line."""

import os

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import FleetingError, UsageError
from fleeting.metrics import challenge_classes, read_challenge_log, uf1, write_challenge_log

COLUMNS = ["dataset", "subject", "clip", "label", "prediction"]
ROWS = [
    ("casme2", "01", "EP02_01f", "positive", "negative"),
    ("casme2", "01", "EP19_05f", "negative", "negative"),
    ("casme2", "26", "EP18_50", "surprise", "surprise"),
    ("samm", "006", "006_1_2", "negative", "positive"),
    ("smic", "s01", "s01_ne_01", "negative", "negative"),
]
TEXT = """casme2 sub01
EP02_01f 1 0
EP19_05f 0 0
casme2 sub26
EP18_50 2 2
samm 006
006_1_2 0 1
smic s01
s01_ne_01 0 0
"""


def table_of(rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def test_written_as_it_circulates_and_read_back(tmp_path):
    path = tmp_path / "Protokoll ü" / "log.txt"
    shuffled = table_of(ROWS).sample(frac=1, random_state=1).assign(p_negative=0.5, fold=0)
    assert write_challenge_log(path, shuffled) == path
    assert path.read_bytes() == TEXT.encode()
    back = read_challenge_log(path)
    pd.testing.assert_frame_equal(back, table_of(ROWS))
    assert uf1(back["label"], back["prediction"]) == uf1(shuffled["label"], shuffled["prediction"])
    assert challenge_classes() == ("negative", "positive", "surprise")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n").encode(),
        lambda t: t.replace("\n", "\r").encode(),
        lambda t: t.rstrip("\n").encode(),
        lambda t: ("\n\n" + t.replace("\n", "\n \t\n") + "\n\n").encode(),
        lambda t: t.replace(" ", "\t  ").replace("\n", "  \n").encode(),
        lambda t: t.encode("utf-8-sig"),
        lambda t: t.replace("samm 006", "samm 006\n\n").encode(),
        # A subject's answers need not stand together.
        lambda t: t.replace("EP19_05f", "casme2 sub01\nEP19_05f").encode(),
        lambda t: t.replace("casme2 sub01", "casme2 01").encode(),
    ],
)
def test_other_programs_logs(tmp_path, change):
    path = tmp_path / "log"
    path.write_bytes(change(TEXT))
    pd.testing.assert_frame_equal(read_challenge_log(path), table_of(ROWS))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEXT.replace("EP19_05f 0 0", "EP19_05f 0 3"), "line 3: unknown class '3' in 'EP19_05f 0 3'"),
        (TEXT.replace("EP19_05f 0 0", "EP19_05f negative 0"), "line 3: unknown class 'negative'"),
        (TEXT.replace("EP19_05f 0 0", "EP19_05f 0 ²"), "line 3: unknown class '²'"),
        (TEXT.replace("EP19_05f 0 0", "EP19_05f -1 0"), "0 negative, 1 positive, 2 surprise"),
        (TEXT.replace("EP19_05f 0 0", "EP19_05f 0"), "line 3: found 2 words ('EP19_05f 0'): was it cut off?"),
        (TEXT[: -len(" 0\n")], "line 9: found 2 words ('s01_ne_01 0'): was it cut off?"),
        (TEXT.replace("EP19_05f 0 0", "EP19_0"), "line 3: found one word ('EP19_0'): was it cut off?"),
        (TEXT.replace("EP19_05f 0 0", "EP19_05f 0 0 0"), "line 3: found 4 words"),
        (TEXT.replace("casme2 sub01\n", "\n"), "line 2: the answer 'EP02_01f 1 0' stands before any subject"),
        (TEXT.replace("EP19_05f", "EP02_01f"), "line 3: clip casme2/01/EP02_01f was answered in line 2 already"),
        (TEXT + "smic s02\n", "line 10: subject 'smic s02' has no answer"),
        (TEXT.replace("EP18_50 2 2\n", ""), "line 4: subject 'casme2 26' has no answer"),
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("casme2,sub01,EP02_01f,1,0\n", "line 1: found one word"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path, text, says):
    path = tmp_path / "log.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FleetingError) as error:
        read_challenge_log(path)
    assert says in str(error.value) and "log.txt" in str(error.value)


def test_a_file_cut_anywhere_is_refused_or_is_a_beginning(tmp_path):
    path = tmp_path / "log.txt"
    whole = table_of(ROWS)
    for end in range(len(TEXT)):
        path.write_text(TEXT[:end])
        try:
            read = read_challenge_log(path)
        except FleetingError:
            continue
        pd.testing.assert_frame_equal(read, whole.iloc[: len(read)])
        assert TEXT[:end].rstrip("\n").endswith((" 0", " 1", " 2"))


@pytest.mark.parametrize("content", [b"\xff\xfec\x00a\x00", b"\x89PNG\r\n\x1a\n\x00\x00", None])
def test_other_files(tmp_path, content):
    path = tmp_path / "x"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(FleetingError, match=r"challenge log"):
        read_challenge_log(path)
    with pytest.raises(FleetingError, match="does not exist; expected a challenge log"):
        read_challenge_log(tmp_path / "none")


@pytest.mark.parametrize("name", ["a\0b", "n" * 300])
def test_a_name_that_no_file_has(tmp_path, name):
    with pytest.raises(FleetingError, match="challenge log"):
        read_challenge_log(tmp_path / name)


def test_a_pipe_is_no_log(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FleetingError, match="is a pipe"):
        read_challenge_log(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("smic", "s01", "x", "happy", "negative"), "'happy'.*label scheme megc2019"),
        (("smic", "s01", "a b", "negative", "negative"), "clip 'a b' cannot be written"),
        (("smic", "", "x", "negative", "negative"), "subject '' cannot be written"),
        (("own\u2028set", "p", "x", "negative", "negative"), "data set"),
        (("own", "1", "x", "negative", "negative"), "own/1 cannot be written.*cut off"),
        (ROWS[0], "answered more than once.*one seed"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, row, says):
    path = tmp_path / "log.txt"
    with pytest.raises(UsageError, match=says):
        write_challenge_log(path, table_of([*ROWS, row]))
    assert not path.exists()
    with pytest.raises(UsageError, match="at least one row"):
        write_challenge_log(path, table_of([]))


names = st.text(min_size=1, max_size=8)
classes = st.sampled_from(["negative", "positive", "surprise"])
tables = st.lists(
    st.tuples(
        st.sampled_from(["casme2", "smic", "samm"]) | names,
        st.sampled_from(["01", "sub", "s01", "7"]) | names,
        names,
        classes,
        classes,
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(tables)
def test_what_is_written_is_what_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("log") / "log.txt"
    try:
        write_challenge_log(path, table_of(rows))
    except UsageError:
        keys = [row[:3] for row in rows]
        hard = [name for key in keys for name in key if name.split() != [name] or "\ufeff" in name]
        digits = [key for key in keys if key[0] != "casme2" and len(key[1]) == 1 and key[1].isdigit()]
        assert hard or digits or len(set(keys)) < len(keys)
        return
    assert read_challenge_log(path).to_numpy().tolist() == sorted(map(list, rows))
