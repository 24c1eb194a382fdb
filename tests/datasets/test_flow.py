"""The folder of precomputed flow as it circulates."""

import json
import shutil

import cv2
import numpy as np
import pytest
from look_alike_flow import ROWS, flow, png, table, write

from fleeting.app.cli import main
from fleeting.clips import FlowImage
from fleeting.datasets import FlowFolder, apply_scheme, load_clips, open_dataset, published_counts
from fleeting.errors import FleetingError, UsageError

KEYS = [row[-1] for row in ROWS]
LABELS = [("negative", "positive", "surprise")[int(row[3])] for row in ROWS]


@pytest.fixture
def made(tmp_path):
    return write(tmp_path / "données, flow")


def opened(folder, csv):
    return open_dataset(f"flow:{folder},{csv}")


@pytest.mark.parametrize("kind", ["release", "resaved"])
def test_the_folder_as_it_circulates(tmp_path, kind):
    data = opened(*write(tmp_path / "flow", kind))
    clips = data.clips()
    assert [clip.key for clip in clips] == KEYS
    assert [clip.emotion for clip in clips] == LABELS
    assert data.problems == []
    for number, clip in enumerate(clips):
        assert isinstance(clip.frames, FlowImage) and len(clip) == 1 and clip.apex is None
        # Red is u, green v, blue strain, whatever order a library decodes to.
        assert np.array_equal(clip.frames[0], flow(number))
    assert data.table()["n_frames"].tolist() == [1] * len(ROWS)
    assert [clip.emotion for clip in apply_scheme(clips, "megc2019")] == LABELS


def test_the_image_is_what_other_programs_wrote(tmp_path):
    image = flow(3)
    path = tmp_path / "ü ber .png"
    cv2.imencode(".png", image[..., ::-1])[1].tofile(path)
    assert np.array_equal(FlowImage(path)[0], image)
    assert FlowImage(path).size == (28, 28) and FlowImage(path).fps is None


def test_the_ways_to_say_where_the_table_is(made, tmp_path, monkeypatch):
    folder, csv = made
    assert len(open_dataset(f"flow:{folder}").clips()) == 6  # the only one beside it
    assert len(open_dataset(f"flow:{folder},{csv.name}").clips()) == 6
    assert len(FlowFolder(folder, table=csv).clips()) == 6
    monkeypatch.chdir(folder.parent)
    assert len(open_dataset(f"flow:{folder.name},{csv.name}").clips()) == 6
    assert len(open_dataset(f"flow:{folder.parent}").clips()) == 6  # the images one level below
    assert len(open_dataset(f"flow:{tmp_path}").clips()) == 6
    inside = shutil.move(csv, folder / "a, b.csv")
    assert len(open_dataset(f"flow:{folder},{inside}").clips()) == 6
    assert len(open_dataset(f"flow:{folder},a, b.csv").clips()) == 6
    assert len(open_dataset(f"flow:{folder}").clips()) == 6


def test_what_is_missing_is_said(made, tmp_path):
    folder, csv = made
    for spec, message in [
        (f"{tmp_path}/nowhere", "no such folder"),
        (f"{tmp_path}/nowhere,{csv}", "nowhere: no such folder"),
        (f"{folder},gone.csv", r"gone\.csv: no such file; expected a CSV with the columns dataset,sub"),
        (f"{csv}", "a file; expected FOLDER,CSV"),
    ]:
        with pytest.raises(UsageError, match=message):
            open_dataset(f"flow:{spec}").clips()
    (folder.parent / "second.csv").write_bytes(csv.read_bytes())
    with pytest.raises(UsageError, match=r"2 CSV files \(combined_3class\.csv, second\.csv\); say which: flow:"):
        open_dataset(f"flow:{folder}")
    alone = shutil.copytree(folder, tmp_path / "alone" / "flow")
    with pytest.raises(UsageError, match="no CSV in it or beside it"):
        open_dataset(f"flow:{alone}")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="no PNG images"):
        opened(empty, csv)
    csv.write_bytes(table() + b'samm,"006,7\n' + b"7" * 200_000)
    reasons = [problem.reason for problem in opened(folder, csv).problems[:2]]
    assert "has a quotation mark that is never closed" in reasons[0]
    assert "has a cell of more than 131,072 characters" in reasons[1]
    for content in (b"", b"\n\n", b"\x89PNG\r\n\x1a\n\0\0", b"dataset,sub,label\ncasme2,sub01,0\n"):
        csv.write_bytes(content)
        with pytest.raises(UsageError, match=r"combined_3class\.csv: no .*columns dataset,sub,filename_o,label"):
            opened(folder, csv)


def test_bad_images_cost_their_clip_only(made):
    folder, csv = made
    names = sorted(folder.glob("s*_*.png")) + sorted(folder.glob("0*.png"))
    whole = flow(0)
    content = names[0].read_bytes()
    bad = {
        "truncated or damaged": content[:-20],
        "grey, 8 bits": png(whole[..., 0], kind=0),
        "RGB with transparency": png(np.dstack([whole, whole[..., 0]]), kind=6),
        "RGB, 16 bits": png(whole, depth=16),
        "not a PNG": cv2.imencode(".jpg", whole)[1].tobytes(),
    }
    for path, data in zip(names, bad.values()):
        path.write_bytes(data)
    data = opened(folder, csv)
    assert len(data.clips()) == 1
    found = [problem.reason for problem in data.problems]
    assert len(found) == 5 and all(any(reason in text for text in found) for reason in bad)
    assert all(problem.skipped and problem.kind == "image" for problem in data.problems)
    names[0].write_bytes(b"")
    names[1].write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    reasons = [problem.reason for problem in opened(folder, csv).problems]
    assert any("an empty file" in text for text in reasons) and any("damaged" in text for text in reasons)


def test_an_image_that_is_damaged_later_is_not_shown(made):
    clip = opened(*made).clips()[0]
    clip.frames.path.write_bytes(clip.frames.path.read_bytes()[:-4])
    with pytest.raises(FleetingError, match="truncated or damaged"):
        clip.frames[0]


def test_any_size_but_one_for_all(tmp_path):
    folder, csv = write(tmp_path)
    for number, path in enumerate(sorted(folder.glob("[0s]*.png"))):
        path.write_bytes(png(flow(number, 41 if number else 28)))
    data = opened(folder, csv)
    assert {clip.frames.size for clip in data.clips()} == {(41, 41)} and len(data.clips()) == 5
    assert [p.reason for p in data.problems] == ["its image is 28x28, those of most others are 41x41"]


def test_bad_rows_and_strays_are_told(made):
    folder, csv = made
    (folder / "s02_s02_ne_09 .png").write_bytes(png(flow(9)))
    (folder / "sub01_EP02_01f.png").write_bytes(png(flow(9)))
    rows = [
        "casme2,sub01,EP02_01f,1,91,sub01_EP02_01f.jpg,",  # again
        "casme2,sub17,EP05_04,2,60,,",  # again, as another class
        "smic,s09,s09_po_01,1,,,",  # no image
        "samm,006,006_1_2,7,,,",
        "samm,,006_1_3,0,,,",
        "samm,six,006_1_3,0,,,",
        "SMIC,s11,s11_ne_01,0,,s03_s03_su_02.jpg,",  # the image of another
        ",,,,,,",
    ]
    csv.write_bytes(table() + "\n".join(rows).encode())
    data = opened(folder, csv)
    assert [clip.key for clip in data.clips()] == [key for key in KEYS if key != "casme2/17/EP05_04"]
    # The one with the blank is used.
    assert np.array_equal(data.clips()[0].frames[0], flow(0))
    told = {str(problem) for problem in data.problems}
    assert len(told) == 9
    for text in (
        "casme2/01/EP02_01f: row 8 of combined_3class.csv repeats the clip of row 2",
        "casme2/17/EP05_04: row 9 of combined_3class.csv calls it surprise, row 3 negative (skipped)",
        "smic/s09/s09_po_01: row 10 of combined_3class.csv has no image 's09_s09_po_01 .png' (skipped)",
        "samm/006/006_1_2: row 11 of combined_3class.csv has the label '7'; expected 0, 1 or 2",
        "samm/006_1_3: row 12 of combined_3class.csv has nothing in the column sub (skipped)",
        "samm/six/006_1_3: row 13 of combined_3class.csv has the subject 'six'",
        "smic/s11/s11_ne_01: row 14 of combined_3class.csv names the image 's03_s03_su_02 .png', as row 5 does",
        "flow/s02_s02_ne_09 .png: an image that combined_3class.csv does not list (skipped)",
        "flow/sub01_EP02_01f.png: found beside 'sub01_EP02_01f .png', which is used",
    ):
        assert any(problem.startswith(text) for problem in told), text


def test_sets_of_other_names_and_labels_in_words(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "s1_a_b .png").write_bytes(png(flow(0)))
    (folder / "t.csv").write_text("dataset,sub,filename_o,label\nsynthetic-a,s1,a_b,Surprise\n")
    (clip,) = load_clips([f"flow:{folder}"])
    assert (clip.key, clip.emotion) == ("synthetic-a/s1/a_b", "surprise")


def test_check_counts_against_the_composite(made, capsys):
    folder, csv = made
    report = opened(folder, csv).verify()
    counts = {(c.name): (c.found, c.known) for c in report.emotions}
    assert counts == {"negative": (3, 250), "positive": (2, 109), "surprise": (1, 83)}
    assert report.n_known == sum(published_counts("megc2019").values()) == 442
    assert "1 negative of casme2, known are 88" in report.discrepancies and not report.complete
    assert report.subjects[0].name == "casme2/01"
    assert main(["data", "check", "flow", f"{folder},{csv}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layout"]["sets"] == "casme2 2, smic 2, samm 2"
