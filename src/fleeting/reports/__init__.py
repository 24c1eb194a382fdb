"""One self-contained HTML page from the folder of a run, a study or a sweep.

This room reads files only; it never sees live objects.
"""

from __future__ import annotations

from fleeting.reports.folder import RunData, UnitData, read_run
from fleeting.reports.page import render_html, render_report
from fleeting.reports.reading import NotARunError
from fleeting.reports.study_folder import StudyData, is_study, read_study

__all__ = [
    "NotARunError",
    "RunData",
    "StudyData",
    "UnitData",
    "is_study",
    "read_run",
    "read_study",
    "render_html",
    "render_report",
]
