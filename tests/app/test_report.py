"""``fleeting report``."""

import json
import shutil

from fleeting.app.cli import main


def test_a_page_is_written_again(small_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(small_run.path, run)
    (run / "report.html").unlink(missing_ok=True)
    assert main(["report", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["report"] == str(run / "report.html") and told["partial"] is False
    assert (run / "report.html").stat().st_size > 20_000


def test_a_partial_run_is_refused_unless_asked_for(small_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(small_run.path, run)
    next(run.glob("units/*/unit.json")).unlink()
    assert main(["report", str(run)]) == 1
    assert "1 of 2 units" in capsys.readouterr().err
    assert main(["report", str(run), "--partial"]) == 0
    assert "partial" in capsys.readouterr().err
    assert "partial" in (run / "report.html").read_text(encoding="utf-8").lower()
