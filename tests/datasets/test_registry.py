"""KIND:PATH."""

import pytest

from fleeting.datasets import (
    Dataset,
    Folder,
    Synthetic,
    list_datasets,
    load_clips,
    open_dataset,
    register_dataset,
)
from fleeting.errors import UsageError

HEADER = "subject,clip,onset,apex,offset,emotion,fps,action_units\n"


def test_kind_and_path(synthetic):
    assert {"folder", "synthetic"} <= set(list_datasets())
    assert isinstance(open_dataset(f"synthetic:{synthetic}"), Synthetic)
    assert type(open_dataset(f"folder:{synthetic}")) is Folder
    assert len(load_clips([f"synthetic:{synthetic}"])) == 6
    both = load_clips([f"synthetic:{synthetic}", f"folder:{synthetic}"])
    assert [c.dataset for c in both] == ["synthetic"] * 6 + ["folder"] * 6


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "no data set given"),
        (["data"], "expected KIND:PATH"),
        (["synthetic:"], "expected KIND:PATH"),
        ([r"C:\data"], "expected KIND:PATH"),
        (
            ["synthetc:x"],
            r"did you mean 'synthetic'\? Choose one of: .*casme2, flow, folder, .*samm, .*smic, .*synthetic",
        ),
        (["casme2:/no/such/place"], "no such folder"),
        (["synthetic:/no/such/place"], "fleeting synth /no/such/place"),
        (["folder:/no/such/place"], "no such folder"),
    ],
)
def test_specs_that_cannot_be_opened(specs, message):
    with pytest.raises(UsageError, match=message):
        load_clips(specs)


def test_a_composite_refuses_the_same_clip_twice_and_an_empty_set(synthetic, folder):
    with pytest.raises(UsageError, match=r"synthetic/s01/c01 is in .*--first-subject"):
        load_clips([f"synthetic:{synthetic}"] * 2)
    d = folder(HEADER + "a,gone,0,1,2,fear,25,\n", clips=())
    with pytest.raises(UsageError, match=r"no usable clip .*no folder a/gone"):
        load_clips([f"folder:{d.root}"])


def test_a_kind_is_registered_once(own_registries, synthetic):
    @register_dataset("our-own")
    class Own(Folder):
        """One's own."""

    @register_dataset("our-other")
    class Other(Dataset):
        """Without a name of its own."""

    assert list_datasets("our*") == ["our-other", "our-own"]
    assert isinstance(open_dataset(f"Our_Own:{synthetic}"), Own)
    assert (Own.name, Other.name, Dataset.name) == ("folder", "our-other", "dataset")
    with pytest.raises(UsageError, match=r"'our-own' is registered already .*Own"):
        register_dataset("our_own")(Folder)
    for bad in ("", "x", "a:b", "  "):
        with pytest.raises(UsageError, match="expected a name of two letters or more"):
            register_dataset(bad)(Folder)
    with pytest.warns(FutureWarning, match=r"write @register_dataset\('older'\)"):
        register_dataset("older", Folder)
    assert isinstance(open_dataset(f"older:{synthetic}"), Folder)
