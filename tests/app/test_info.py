"""``fleeting info``."""

import json

from fleeting.app.cli import main


def test_what_a_bug_report_needs(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "torch" in text and "300-W" in text
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"versions", "machine", "kernels", "cuda", "cache", "landmarks"} <= set(facts)
