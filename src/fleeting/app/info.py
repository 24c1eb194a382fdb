"""The verb ``info``: versions, the machine, and licences."""

from __future__ import annotations

from typing import Any

from fleeting.app.options import JsonOption
from fleeting.errors import FleetingError


def info(*, output: JsonOption = JsonOption()) -> None:
    """Show versions, the machine, where things are kept, and licences that bind a user.

    Example: fleeting info
    """
    import torch

    from fleeting import kernels
    from fleeting.experiments import machine, versions
    from fleeting.faces.detector import LANDMARKS_LICENCE, landmark_file
    from fleeting.sequences.cache import default_cache

    screen = output.screen()
    try:
        landmarks = str(landmark_file())
    except FleetingError as exc:
        landmarks = f"missing: {exc}"
    used = kernels.status()
    facts: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "kernels": {"kernels": used.name or "none: plain PyTorch", "kernels_reason": used.reason},
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "cache": str(default_cache()),
        "landmarks": landmarks,
        "landmarks_licence": LANDMARKS_LICENCE,
    }
    for name, value in facts.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                screen.show(f"{inner:<28} {text}")
        else:
            screen.show(f"{name:<28} {value}")
    screen.dump(facts)
