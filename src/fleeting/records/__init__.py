"""Records: everything that lies on disk between rooms, each with one way to disk and one tolerant way back."""

from fleeting.records.base import Record, RecordError, read_json, read_regular
from fleeting.records.folders import claim_folder, is_litter, sweep_unfinished
from fleeting.records.tables import Row, defuse, read_table, undo_defuse, write_table

__all__ = [
    "Record",
    "RecordError",
    "Row",
    "claim_folder",
    "defuse",
    "is_litter",
    "read_json",
    "read_regular",
    "read_table",
    "sweep_unfinished",
    "undo_defuse",
    "write_table",
]
