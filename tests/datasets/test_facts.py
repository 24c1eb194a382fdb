"""Facts about the data sets."""

from fleeting.datasets import Casme2, Samm, Smic
from fleeting.datasets.facts import known_counts, read_facts


def test_facts_are_keyed_and_have_a_source():
    for name in ("counts.csv", "errata.csv", "exclusions.csv", "known.csv", "published.csv", "schemes.csv"):
        rows = read_facts(name)
        assert rows and all(row["source"] for row in rows)
    for row in (*read_facts("errata.csv"), *read_facts("known.csv")):
        assert row["subject"] and row["clip"]
    assert sum(known_counts("casme2").values()) == 255
    assert sum(known_counts("smic").values()) == 164
    assert sum(known_counts("smic-hs-e").values()) == 162
    assert sum(known_counts("smic-vis").values()) == 71
    assert sum(known_counts("samm").values()) == 159
    assert "disgust 63" in Casme2.__doc__ and "negative 70" in Smic.__doc__ and "Disgust 9" in Samm.__doc__
    assert "{counts" not in Casme2.__doc__ + Smic.__doc__ + Samm.__doc__
