"""Records come back from disk as they went, and whatever else lies there is named, never believed and never a traceback."""

import json
import os
import pickle
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleeting.errors import FleetingError
from fleeting.records import Record, RecordError, read_json, read_regular

TEXT = st.text(st.characters(codec="utf-8"))


class Inner(Record):
    share: float | None = None


class Sample(Record):
    remedy: ClassVar[str] = "make it again"

    name: str
    count: int = 3
    inner: Inner = Inner()
    tags: tuple[str, ...] = ()


@given(
    name=TEXT,
    count=st.integers(-(2**70), 2**70),
    share=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    tags=st.lists(TEXT),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path, name, count, share, tags):
    record = Sample(name=name, count=count, inner=Inner(share=share), tags=tags)
    assert Sample.read(record.write(tmp_path / "sample.json")) == record


def test_fields_keep_their_order_and_nulls_stay(tmp_path):
    path = Sample(name="a").write(tmp_path / "sample.json")
    assert path.read_text() == (
        '{\n  "name": "a",\n  "count": 3,\n  "inner": {\n    "share": null\n  },\n  "tags": []\n}\n'
    )


def test_files_of_other_versions_open(tmp_path):
    path = tmp_path / "sample.json"
    path.write_text('\ufeff{"name": "a", "of a later version": [1]}', encoding="utf-8")
    assert Sample.read(path) == Sample(name="a")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b'{"name": "a"', "is not JSON"),
        (b"\xff\xfe", r"is not UTF-8 text \(byte 0\)"),
        (b"[]", "holds list; expected named fields"),
        (b"null", "holds NoneType; expected named fields"),
        (b"{}", "name: field required"),
        (b'{"name": 3}', "name: input should be a valid string, found 3"),
        (b'{"name": "a", "count": 1.5}', r"count: .*integer.*, found 1\.5"),
        (b'{"name": "a", "count": "many"}', "count: .*integer.*, found 'many'"),
        (b'{"name": "a", "inner": {"share": Infinity}}', r"inner\.share: .*finite.*, found inf"),
        (b'{"name": "a", "inner": {"share": NaN}}', r"inner\.share: .*finite.*, found nan"),
        (b'{"name": "a", "inner": {"share": 1' + b"0" * 400 + b"}}", r"inner\.share: .*number"),
        (b'{"name": "a", "count": 1' + b"0" * 5000 + b"}", "is not JSON"),
        (b'{"name": "\\ud800"}', "is not JSON .*surrogates"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}", "name: input should be a valid string"),
    ],
)
def test_damage_is_named_with_file_field_and_remedy(tmp_path, content, says):
    path = tmp_path / "sample.json"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=f"sample.json: {says}.*; make it again$") as caught:
        Sample.read(path)
    assert caught.value.path == path and isinstance(caught.value, FleetingError)


@given(st.binary(max_size=60))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_record_or_an_error_of_ours(tmp_path, content):
    path = tmp_path / "sample.json"
    path.write_bytes(content)
    with pytest.raises(RecordError):
        Sample.read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Sample.model_fields, JSON)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_a_record_or_an_error_of_ours(tmp_path, value):
    path = tmp_path / "sample.json"
    path.write_text(json.dumps(value))
    try:
        found = Sample.read(path)
    except RecordError as exc:
        assert str(path) in str(exc)
    else:
        assert found.name == value["name"]


def test_numbers_that_are_none_are_written_as_null(tmp_path):
    record = Sample(name="a").model_copy(update={"inner": Inner.model_construct(share=float("nan"))})
    assert json.loads(record.write(tmp_path / "sample.json").read_text())["inner"] == {"share": None}


def test_what_is_no_file_is_named_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, says in (("", "is a folder"), ("pipe", "is a pipe or device"), ("absent", "does not exist")):
        with pytest.raises(RecordError, match=rf"{says}(; expected a file)?; look there$"):
            read_regular(tmp_path / name, remedy="look there")
    with pytest.raises(RecordError, match="cannot be read"):
        read_regular(tmp_path / ("n" * 300))
    with pytest.raises(RecordError, match="cannot be read"):
        read_json("a\0b")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RecordError, match="expected at most"):
        read_json(path)


def test_an_error_reaches_the_process_that_asked():
    error = RecordError("a/b.json", "is empty", "write it")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(again), again.path, again.found) == (str(error), error.path, error.found)
