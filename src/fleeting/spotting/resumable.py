"""Parts that work on a stream, can be stopped, and go on in another process as if they had not been."""

from __future__ import annotations

from typing import Any, ClassVar

from fleeting.errors import FleetingError

__all__ = ["Resumable"]


class Resumable:
    """Something whose attributes are all that it knows, so that another one with the same attributes goes on in its place.

    Attributes
    ----------
    made_anew : tuple of str
        Attributes that are no state: settings, functions, and parts that keep a state of their own.
    """

    made_anew: ClassVar[tuple[str, ...]] = ()

    def state(self) -> dict[str, Any]:
        """Give what has to be known to go on: plain values and arrays by name."""
        return {name: value for name, value in vars(self).items() if name not in self.made_anew}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of another one of this kind, made with the same settings.

        Parameters
        ----------
        state : dict
            Result of :meth:`state`.

        Raises
        ------
        FleetingError
            If it is the state of something else.
        """
        known = set(vars(self)) - set(self.made_anew)
        if set(state) != known:
            differing = ", ".join(sorted(known ^ set(state)))
            raise FleetingError(
                f"a state of {type(self).__name__} was kept by another version (they differ in {differing}); analyze the "
                "recording again into a new folder"
            )
        vars(self).update(state)
