"""Records of what ``fleeting analyze`` leaves in a folder: its head, its events, and what each frame showed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, Field

from fleeting.records.base import Record
from fleeting.records.open import WasDict
from fleeting.records.tables import Row, read_table, write_table

__all__ = [
    "EVENT_COLUMNS",
    "AnalysisCounts",
    "AnalysisHead",
    "AnalysisSettings",
    "AnalysisSource",
    "EventRow",
    "FollowedFace",
    "LearnedPart",
    "frame_columns",
    "read_events",
    "write_event_rows",
]

FORMAT = 1
_REMEDY = "analyze the recording into another folder"
_PROBABILITY = "p_"


class AnalysisSettings(Record):
    """The choices with which a recording is analyzed; a resumed analysis has to have the same.

    Attributes
    ----------
    source : str
        Digest that tells recordings apart.
    face : int or str
        The face that is followed: a number, ``"largest"`` or ``"all"``.
    fps : float or None
        Frames per second that overrule the recording's own.
    spotter, model : str or None
        The spotter and the recogniser that were named.
    video, explain : bool
        If True, ``annotated.mp4`` and the explanations are written.
    seconds : float or None
        Length after which the analysis ends.
    """

    remedy: ClassVar[str] = _REMEDY

    source: str = ""
    face: int | str = "largest"
    fps: float | None = None
    spotter: str | None = None
    model: str | None = None
    video: bool = True
    explain: bool = True
    seconds: float | None = None


class AnalysisSource(Record):
    """Facts about the recording; what a reader knows beyond these, such as the codec, is kept as it is."""

    model_config = ConfigDict(extra="allow")

    name: str = ""
    fps: float | None = None
    n_frames: int | None = None
    width: int = 0
    height: int = 0
    duration_s: float | None = None
    rotation: int = 0
    vfr: bool = False
    live: bool = False
    reader: str = ""


class LearnedPart(Record):
    """A part that was trained: the recogniser, the spotter, the landmarks. Further facts are kept as they are.

    Attributes
    ----------
    trained_on : str
        Its training data, in words.
    limits : tuple of str
        Sentences on what it cannot do.
    synthetic : bool or None
        If True, it was trained on computed faces; ``None`` in records of before this was said.
    """

    model_config = ConfigDict(extra="allow")

    name: str = "unnamed"
    sha256: str | None = None
    trained_on: str = ""
    limits: tuple[str, ...] = ()
    synthetic: bool | None = None

    @property
    def of_computed_faces(self) -> bool:
        """Tell whether it was trained on computed faces; records of before this was a field say it in words."""
        if self.synthetic is not None:
            return self.synthetic
        return "synthetic" in " ".join([self.trained_on, *self.limits]).lower()


class FollowedFace(Record):
    """A face that was told apart, and the number of frames that showed it."""

    face_id: int
    frames: int = 0


class AnalysisCounts(Record):
    """Numbers of what was found."""

    frames: int = 0
    frames_with_face: int = 0
    events: int = 0
    micro: int = 0
    macro: int = 0


class AnalysisHead(WasDict):
    """``analysis.json``.

    Attributes
    ----------
    status : str
        ``"complete"`` or ``"partial"``.
    frames_done, up_to_frame : int
        Frames that were analyzed, and the last of them.
    up_to_s : float
        Its time in seconds.
    weights : dict of str to LearnedPart
        The parts that were trained: ``recogniser``, ``spotter``, ``landmarks``.
    seconds : float
        Seconds that the analysis took, over all its runs.
    """

    remedy: ClassVar[str] = _REMEDY

    format: int = FORMAT
    kind: str = "analysis"
    status: str = "partial"
    created: str = ""
    frames_done: int = 0
    up_to_frame: int = -1
    up_to_s: float = 0.0
    source: AnalysisSource = Field(default_factory=AnalysisSource)
    settings: AnalysisSettings = Field(default_factory=AnalysisSettings)
    weights: dict[str, LearnedPart] = Field(default_factory=dict)
    faces: tuple[FollowedFace, ...] = ()
    counts: AnalysisCounts = Field(default_factory=AnalysisCounts)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    frames_per_second: float | None = None
    versions: dict[str, Any] = Field(default_factory=dict)
    machine: dict[str, Any] = Field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Tell whether the whole recording was analyzed."""
        return self.status == "complete"

    def to_json(self) -> dict[str, Any]:
        """Give the head as JSON-ready dictionaries; of a part that was trained only what is said of it."""
        parts = {role: part.model_dump(mode="json", exclude_unset=True) for role, part in self.weights.items()}
        return {**super().to_json(), "weights": parts}


class EventRow(Row):
    """A row of ``events.csv``: one expression.

    Attributes
    ----------
    event : int
        Number, from 1 in the order in which events became certain.
    face_id : int
        Number of the face.
    onset, apex, offset : int or None
        0-based frames.
    onset_s, apex_s, offset_s, duration_s : float
        Times and length in seconds.
    kind : str
        ``"micro"`` (at most half a second) or ``"macro"``.
    confidence : float or None
        0 to 1, 0.5 at the spotter's threshold; no probability.
    strength_px : float or None
        Motion at the apex in pixels of a 128-pixel face.
    probabilities : dict of str to float
        Probability by class, the columns ``p_<class>``.
    """

    remedy: ClassVar[str] = _REMEDY

    event: int
    face_id: int = 0
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    onset_s: float
    apex_s: float
    offset_s: float
    duration_s: float | None = None
    kind: str = ""
    confidence: float | None = None
    strength_px: float | None = None
    region: str = ""
    action_units: str = ""
    emotion: str = ""
    probabilities: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def parse(cls, value: Any, path: str | os.PathLike[str]) -> Self:
        """Check a row that was read; see :meth:`fleeting.records.Record.parse`."""
        if isinstance(value, dict) and "probabilities" not in value:
            found = {
                name.removeprefix(_PROBABILITY): cell
                for name, cell in value.items()
                if name.startswith(_PROBABILITY) and cell != ""
            }
            value = {name: cell for name, cell in value.items() if not name.startswith(_PROBABILITY)}
            value["probabilities"] = found
        return super().parse(value, path)

    def cells(self, classes: Sequence[str]) -> list[Any]:
        """Give the row's cells: :data:`EVENT_COLUMNS`, then the probability of each class."""
        return [getattr(self, name) for name in EVENT_COLUMNS] + [self.probabilities.get(name) for name in classes]


EVENT_COLUMNS = tuple(name for name in EventRow.model_fields if name != "probabilities")


def read_events(path: str | os.PathLike[str]) -> list[EventRow]:
    """Read ``events.csv``, every row of it.

    Raises
    ------
    RecordError
        If the table cannot be read, or a row has another form; names the row and the field.
    """
    required = [name for name, field in EventRow.model_fields.items() if field.is_required()]
    rows = read_table(path, columns=required, remedy=_REMEDY)
    return [EventRow.parse(row, f"{path}, row {number}") for number, row in enumerate(rows, start=1)]


def write_event_rows(path: str | os.PathLike[str], rows: Sequence[EventRow], classes: Sequence[str] = ()) -> Path:
    """Write ``events.csv``, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    rows : sequence of EventRow
        The events.
    classes : sequence of str, optional
        Classes of the recogniser, a column ``p_<class>`` each.
    """
    header = [*EVENT_COLUMNS, *(f"{_PROBABILITY}{name}" for name in classes)]
    return write_table(path, header, (row.cells(classes) for row in rows))


def frame_columns(regions: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of ``frames.csv``.

    ``flow_*`` say where the skin of a region is against where it was when the face was last lost, cut to or found, in
    pixels of a 128-pixel face, x to the image's right and y down, the head's motion removed.

    Parameters
    ----------
    regions : sequence of str
        Regions of the face.
    """
    return (
        "frame",
        "face_id",
        "timestamp",
        "confidence",
        "success",
        "pose_Rz",
        *(f"flow_{name}_{axis}" for name in regions for axis in "xy"),
        "strain",
        "head_x",
        "head_y",
        "score",
    )
