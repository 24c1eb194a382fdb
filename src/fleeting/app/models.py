"""The verb ``models``: the zoo, with what was published and what was measured."""

from __future__ import annotations

from fleeting.app.options import JsonOption


def models(pattern: str = "*", *, output: JsonOption = JsonOption()) -> None:
    """List the models, with what papers report of them and what was measured here.

    Example: fleeting models

    Parameters
    ----------
    pattern : str, optional
        Wildcard, such as model_*.
    """
    from dataclasses import asdict

    from fleeting.models import list_models, model_info

    screen = output.screen()
    names = list_models(pattern)
    infos = [model_info(name) for name in names]
    width = max((len(name) for name in names), default=0)
    for info in infos:
        screen.show(f"{info.name:<{width}}  {info.summary}")
        screen.show(f"{'':<{width}}  {info.paper}; {'×'.join(map(str, info.sizes.values()))} (T×H×W)")
        for where, scores in (("published, real composite", info.published), ("ours, synthetic", info.measured)):
            for score in scores:
                figures = f"UF1 {score.uf1:.3f} UAR {score.uar:.3f}"
                screen.show(f"{'':<{width}}  {where} ({score.data}): {figures}; {score.source}")
    if not names:
        screen.show(f"no model matches {pattern!r}")
    if any(info.published or info.measured for info in infos):
        screen.show(
            "UF1 and UAR are of leave-one-subject-out on the MEGC 2019 composite: published ones on the real data, ours "
            "on a synthetic composite. The two can never be compared; ours can be compared with each other"
        )
    screen.dump(
        [
            asdict(info)
            | {"published": [asdict(score) for score in info.published]}
            | {"measured": [asdict(score) for score in info.measured]}
            for info in infos
        ]
    )
