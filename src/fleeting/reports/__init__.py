"""One self-contained HTML page from the folder of a run, a study, a sweep or an analyzed recording.

This room reads files only; it never sees live objects.
"""

from __future__ import annotations

from fleeting.reports.analysis_folder import AnalysisData, is_analysis, read_analysis
from fleeting.reports.folder import RunData, UnitData, read_run
from fleeting.reports.page import render_analysis, render_html, render_report
from fleeting.reports.reading import NotARunError
from fleeting.reports.study_folder import StudyData, is_study, read_study

__all__ = [
    "AnalysisData",
    "NotARunError",
    "RunData",
    "StudyData",
    "UnitData",
    "is_analysis",
    "is_study",
    "read_analysis",
    "read_run",
    "read_study",
    "render_analysis",
    "render_html",
    "render_report",
]
