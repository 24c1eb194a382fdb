"""From the files of an analyzed recording to what its page shows."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.records.analysis import LearnedPart
from fleeting.reports import wording
from fleeting.reports.analysis_folder import PICTURES, AnalysisData, EventRow
from fleeting.reports.analysis_timeline import MOST_FACES, clock, overview, timeline_data, timeline_rows
from fleeting.reports.reading import as_number

__all__ = ["analysis_context"]

MOST_CARDS = 60
MOST_ROWS = 2000
#: Of all pictures together, as they are embedded: a page that a browser on a phone still opens.
MOST_PICTURE_BYTES = 16_000_000
_MAX_FILE_BYTES = 20_000_000
_AS_IS = 60_000
_WIDEST = 1800
# A micro-expression lasts down to 40 ms; below this rate the shortest fall between two frames.
_SLOW = 50.0
_CAPTIONS = {
    "": "From onset to offset",
    "_magnified": "The same, small motions magnified",
    "_explain": "What the recogniser’s answer rests on, the brighter the more; above, the share of each moment",
}


def analysis_context(found: AnalysisData) -> dict[str, Any]:
    """All that ``analysis.html.j2`` names."""
    duration = found.duration
    rows = timeline_rows(found)
    problems = list(found.problems)
    cards = _cards(found, problems)
    numbers = {card["number"] for card in cards}
    drawn = bool(rows)
    data = timeline_data(rows, found.events, numbers, duration) if drawn else None
    faces = {event.face for event in found.events} | {course.face for course in found.courses}
    return {
        "name": _name(found),
        "created": wording.moment(found.head.created),
        "partial": found.partial,
        "lede": _lede(found, duration, len(faces)),
        "banners": _banners(found, problems),
        "means": _means(found),
        "figures": _figures(found, duration),
        "overview": overview(rows, found.events, duration) if drawn else None,
        "timeline": data,
        "faces": len(rows),
        "more_faces": max(0, len(faces) - MOST_FACES),
        "has_course": any(len(course.time) for course in found.courses),
        "cards": cards,
        "pictured": any(card["pictures"] for card in cards),
        "n_events": len(found.events),
        "rows": [_table_row(event, numbers) for event in found.events[:MOST_ROWS]],
        "more_rows": max(0, len(found.events) - MOST_ROWS),
        "several": len(faces) > 1,
        "recognised": any(event.emotion for event in found.events),
        "weights": _weights(found.head.weights),
        "source": found.source.model_dump(exclude_unset=True),
        "settings": found.head.settings.model_dump(exclude_unset=True),
        "versions": found.head.versions,
        "machine": found.head.machine,
        "video": (found.path / "annotated.mp4").is_file(),
    }


def _name(found: AnalysisData) -> str:
    return found.source.name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or found.path.resolve().name


def _of_kind(events: Sequence[EventRow], kind: str) -> int:
    return sum(event.kind == kind for event in events)


def _lede(found: AnalysisData, duration: float, faces: int) -> str:
    micro, macro = (_of_kind(found.events, kind) for kind in ("micro", "macro"))
    other = len(found.events) - micro - macro
    parts = [wording.plural(micro, "micro-expression")] if micro or not (macro or other) else []
    parts += [wording.plural(macro, "longer expression")] * bool(macro)
    parts += [wording.plural(other, "event")] * bool(other)
    stretch = f" in {_length(duration)}" if math.isfinite(duration) else ""
    whom = f", on {wording.plural(faces, 'face')}" if faces > 1 else ""
    what = wording.listed(parts) if found.events else "no expression"
    return f"Found {what}{stretch}{whom}{', before it was stopped' * found.partial}."


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else wording.seconds(seconds)


def _banners(found: AnalysisData, problems: list[str]) -> list[dict[str, Any]]:
    banners: list[dict[str, Any]] = []
    if found.partial:
        ends = [course.time[-1] for course in found.courses if len(course.time)]
        reached = f" The results reach to {clock(max(ends))}." if ends else ""
        text = f"The analysis did not come to the end of the recording.{reached} Run the same with --resume to go on."
        banners.append({"kind": "alert", "title": "A partial result", "text": [text]})
    told = [sentence for sentence in found.head.warnings if sentence]
    if told:
        banners.append({"kind": "caution", "title": "To be borne in mind", "text": told})
    if problems:
        title = "Parts of the folder could not be read"
        banners.append({"kind": "caution", "title": title, "text": list(dict.fromkeys(problems))})
    return banners


def _means(found: AnalysisData) -> list[str]:
    """Say what a result does and does not mean, in plain sentences."""
    said = [
        "An event is a stretch in which the skin of the face moved briefly and returned. The page says when, where and how "
        "strongly; that much can be checked against the pictures.",
        "It does not say what a person felt, thought or meant to hide. No measurement of a face can, and nothing here is "
        "fit for decisions about people, least of all about honesty.",
    ]
    if any(event.probabilities for event in found.events):
        said.append(
            "The emotion words name the pattern of movement that the recogniser was taught by that name. Its percentages "
            "tell how sure it is among the words that it knows; they have not been calibrated on real faces, and it has to "
            "choose one even if none fits."
        )
    if any(part.of_computed_faces for part in found.head.weights.values()):
        said.append(
            "The weights were trained on computed faces only. How well they do on real ones has not been measured."
        )
    fps = as_number(found.source.fps)
    if fps < _SLOW:
        frames = max(1, round(0.2 * fps))
        said.append(
            f"At {fps:.3g} frames per second an expression of a fifth of a second is {wording.plural(frames, 'frame')}: the "
            "shortest and weakest cannot be seen. High-speed recordings have 100 to 200."
        )
    return said


def _figures(found: AnalysisData, duration: float) -> list[dict[str, str]]:
    counts, source = found.head.counts, found.source
    figures = [{"name": "Micro-expressions", "value": f"{_of_kind(found.events, 'micro'):,}", "note": "up to 0.5 s"}]
    macro = _of_kind(found.events, "macro")
    figures.append({"name": "Longer expressions", "value": f"{macro:,}", "note": "above 0.5 s"})
    fps = as_number(source.fps)
    size = "\u00a0×\u00a0".join(str(side) for side in (source.width, source.height) if side)
    rate = f"{fps:.4g} frames per second" if math.isfinite(fps) else "frame rate unknown"
    figures.append({"name": "Recording", "value": clock(duration, 0), "note": rate + f", {size}" * bool(size)})
    frames = sum(len(course.time) for course in found.courses)
    seen = sum(sum(course.seen) for course in found.courses)
    if counts.frames and "frames_with_face" in counts.model_fields_set:
        frames, seen = counts.frames, counts.frames_with_face
    if frames:
        figures.append(
            {
                "name": "Face found",
                "value": f"{100 * seen / frames:.0f} %",
                "note": f"of {wording.plural(frames, 'frame')}",
            }
        )
    return figures


def _weights(parts: Mapping[str, LearnedPart]) -> list[dict[str, Any]]:
    return [
        {
            "role": role.replace("_", " "),
            "name": part.name,
            "trained_on": part.trained_on,
            "limits": list(part.limits),
            "sha256": (part.sha256 or "")[:12],
        }
        for role, part in parts.items()
    ]


def _cards(found: AnalysisData, problems: list[str]) -> list[dict[str, Any]]:
    """Parts of the page for single events: the surest, in the order of time."""
    order = sorted(found.events, key=lambda event: -event.confidence if math.isfinite(event.confidence) else math.inf)
    chosen = {event.number for event in order[:MOST_CARDS]}
    room = MOST_PICTURE_BYTES
    pictures: dict[int, list[dict[str, str]]] = {}
    for event in order[:MOST_CARDS]:
        for which in PICTURES:
            file = found.picture(event, which)
            if file is None:
                continue
            address = _embedded(file, problems)
            if len(address) > room:
                continue
            room -= len(address)
            if address:
                pictures.setdefault(event.number, []).append({"address": address, "caption": _CAPTIONS[which]})
    return [_card(event, pictures.get(event.number, [])) for event in found.events if event.number in chosen]


def _embedded(file: Path, problems: list[str]) -> str:
    """A picture as a ``data:`` address, large ones as JPEG; empty if it cannot be shown."""
    import cv2

    name = f"strips/{file.name}"
    try:
        content = file.read_bytes() if file.stat().st_size <= _MAX_FILE_BYTES else b""
    except OSError as error:
        problems.append(f"{name} cannot be read ({error.strerror or error}).")
        return ""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        problems.append(f"{name} is {'not a PNG' if content else 'empty or larger than 20 MB'} and left out.")
        return ""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        problems.append(f"{name} is damaged and left out.")
        return ""
    if len(content) <= _AS_IS:
        return f"data:image/png;base64,{base64.b64encode(content).decode()}"
    height, width = image.shape[:2]
    if width > _WIDEST:
        size = (_WIDEST, max(1, round(height * _WIDEST / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, small = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 86])
    return f"data:image/jpeg;base64,{base64.b64encode(small.tobytes()).decode()}" if done else ""


def _card(event: EventRow, pictures: list[dict[str, str]]) -> dict[str, Any]:
    bars = sorted(event.probabilities.items(), key=lambda item: -item[1])
    return {
        "number": event.number,
        "kind": event.kind,
        "style": event.kind if event.kind in ("micro", "macro") else "other",
        "at": clock(event.apex_s),
        "facts": _facts(event),
        "emotion": event.emotion,
        "bars": [{"name": name, "share": min(1.0, max(0.0, p)), "text": f"{100 * p:.0f} %"} for name, p in bars],
        "pictures": pictures,
    }


def _facts(event: EventRow) -> list[tuple[str, str]]:
    frames = [event.onset, event.apex, event.offset]
    facts = [
        (name, f"{clock(at)}{'' if frame is None else f', frame {frame:,}'}")
        for name, at, frame in zip(
            ("Onset", "Apex", "Offset"), (event.onset_s, event.apex_s, event.offset_s), frames, strict=True
        )
    ]
    facts.append(("Duration", f"{event.duration:.2f} s"))
    if event.region:
        facts.append(("Region", _place(event.region)))
    if event.action_units:
        facts.append(("Likely action units", event.action_units))
    if math.isfinite(event.strength):
        facts.append(("Strength", f"{event.strength:.2f} px of a 128-px face"))
    if math.isfinite(event.confidence):
        facts.append(("Confidence", f"{100 * event.confidence:.0f} %"))
    if event.face != "0":
        facts.append(("Face", event.face))
    return facts


def _place(region: str) -> str:
    return region.replace("_", " ").replace("-", " ")


def _table_row(event: EventRow, with_card: set[int]) -> dict[str, Any]:
    share = event.probabilities.get(event.emotion, math.nan)
    return {
        "number": event.number,
        "link": event.number in with_card,
        "face": event.face,
        "kind": event.kind,
        "at": clock(event.apex_s),
        "apex_s": f"{event.apex_s:.4f}",
        "duration": wording.figure(event.duration),
        "region": _place(event.region) or wording.NONE,
        "units": event.action_units or wording.NONE,
        "strength": wording.figure(event.strength),
        "confidence": f"{100 * event.confidence:.0f} %" if math.isfinite(event.confidence) else wording.NONE,
        "emotion": event.emotion or wording.NONE,
        "share": f"{100 * share:.0f} %" if math.isfinite(share) else "",
    }
