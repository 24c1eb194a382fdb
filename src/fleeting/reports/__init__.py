"""One self-contained HTML page from a run folder. This room reads files only; it never sees live objects."""

from __future__ import annotations

from fleeting.reports.folder import NotARunError, RunData, UnitData, read_run
from fleeting.reports.page import render_html, render_report

__all__ = ["NotARunError", "RunData", "UnitData", "read_run", "render_html", "render_report"]
