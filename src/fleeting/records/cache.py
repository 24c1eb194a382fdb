"""The cache of sequences: what is said beside each sequence, and of all that one recipe made."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from fleeting.records.base import Record
from fleeting.records.kinds import Count
from fleeting.records.open import OpenRecord

__all__ = ["CacheManifest", "CachedSequence"]


class CachedSequence(OpenRecord):
    """One clip's sequence, or why it has none; ``<key>.json``, written after the sequence.

    A recipe may add facts of its own, which are kept as they are.

    Attributes
    ----------
    status : {"ok", "skipped"}
        ``"skipped"`` if the clip cannot become a sequence.
    reason : str
        Why it has none.
    clip : str
        Key of the clip, ``dataset/subject/name``.
    bytes : int or None
        Size of the ``.npy`` file.
    apex : int or None
        Index of the apex frame that was used.
    apex_source : str
        ``"annotated"``, ``"spotted"`` or ``"middle"``; empty without an apex.
    notes : tuple of str
        Sentences for readers of the result.
    digest : str or None
        Digest of the sequence and of all that is said here; entries of earlier versions have none.
    """

    remedy: ClassVar[str] = "delete it; the sequence is made again"

    status: Literal["ok", "skipped"]
    reason: str = ""
    clip: str = ""
    bytes: Count | None = None
    apex: Count | None = None
    apex_source: str = ""
    notes: tuple[str, ...] = ()
    digest: str | None = None

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if self.status == "skipped" and not self.reason:
            raise ValueError("reason is missing; expected why the clip has no sequence")
        if self.status == "ok" and self.bytes is None:
            raise ValueError("bytes is missing; expected the size of the sequence")
        return self

    def seal(self, sequence_digest: str) -> Self:
        """Give the entry with its digest.

        Parameters
        ----------
        sequence_digest : str
            Digest of the ``.npy`` file; empty if there is none.
        """
        return type(self).model_validate({**self.facts(), "digest": self._digest(sequence_digest)})

    def is_whole(self, sequence_digest: str) -> bool:
        """Tell whether sequence and entry are as they were when the entry was sealed.

        Parameters
        ----------
        sequence_digest : str
            Digest of the ``.npy`` file as it is now; empty if there is none.
        """
        return self.digest is not None and self.digest == self._digest(sequence_digest)

    def _digest(self, sequence_digest: str) -> str:
        text = f"{sequence_digest} {json.dumps(self.facts(), sort_keys=True)}"
        return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def facts(self) -> dict[str, Any]:
        """Give what is known of the sequence as a JSON-ready dictionary, its digest left out."""
        return {name: value for name, value in self.to_json().items() if name != "digest"}


class CacheManifest(Record):
    """All that one recipe made, ``manifest.json``: for people, and tools that look into a cache.

    Attributes
    ----------
    recipe : dict of str to object
        The recipe's fields.
    clips : dict of str to CachedSequence
        For each key the entry.
    """

    remedy: ClassVar[str] = "delete it; it is written again by the next command that uses the cache"

    recipe: dict[str, JsonValue] = Field(default_factory=dict)
    clips: dict[str, CachedSequence] = Field(default_factory=dict)
