"""A recipe says how a clip becomes a sequence. Recipes are frozen, hashable by content, and registered by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleeting.errors import FleetingError, UsageError
from fleeting.plugins import source_digest
from fleeting.registry import Registry
from fleeting.renamed import adopt_renamed_methods
from fleeting.sequences.strip import film_strip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fleeting.clips import Clip
    from fleeting.faces import FaceDetector

# Raise it whenever the same recipe makes other pixels, so that old sequences are not mistaken for new ones.
PIXELS_VERSION = 3

# OpenCV goes by any of these names; a build with the contributed modules (TV-L1 flow) takes the place of ours.
_OPENCV = (
    "opencv-python-headless",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
    "opencv-python",
)


@dataclass(frozen=True)
class BuiltSequence:
    """A sequence and how it came about.

    Attributes
    ----------
    frames : numpy.ndarray
        ``(T, H, W, C)`` of the recipe's ``dtype``; ``T + 1`` frames with the onset frame first if the recipe's motion
        is ``"difference"``.
    info : dict of str to object
        JSON-ready facts: ``apex``, ``apex_source``, ``onset``, ``reference``, ``window``, ``notes``.
    """

    frames: NDArray[Any]
    info: dict[str, Any] = field(default_factory=dict)


class Recipe(BaseModel):
    """Base of all recipes: the fields that every network needs to know.

    ``motion`` is what the network is shown: the frames themselves (``"none"``, as published) or their difference from
    the onset frame. Sequences are stored as they are either way; with ``"difference"`` the onset frame is stored as
    one more frame in front, and subtracted when a batch is made.

    A recipe whose sequences are no frames of a face, such as rows of features, declares ``height``, ``width`` and
    ``frames`` again with limits of its own (``height: int = Field(default=1, ge=1)``), and overrides :attr:`channels`
    and :attr:`dtype` as it needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    frames: int = Field(default=36, ge=1, le=1000, description="frames the network sees")
    height: int = Field(default=128, ge=8, le=1024, description="pixels")
    width: int = Field(default=128, ge=8, le=1024, description="pixels")
    color: Literal["grey", "rgb"] = "grey"
    motion: Literal["none", "difference"] = "none"

    title: ClassVar[str] = ""
    #: Whether a clip may be an image of precomputed flow (:class:`fleeting.clips.FlowImage`) in the place of frames.
    takes_flow_images: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        adopt_renamed_methods(cls, {"_view": "view_of"})

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.color == "grey" else 3

    @property
    def dtype(self) -> Literal["uint8", "float32"]:
        """Type of the values of a stored sequence: grey levels, or numbers that grey levels would round too coarsely."""
        return "uint8"

    @property
    def stored_frames(self) -> int:
        """Frames in a stored sequence: one more than the network sees if motion is the difference from the onset."""
        return self.frames + (self.motion == "difference")

    @property
    def stored_shape(self) -> tuple[int, int, int, int]:
        """Shape ``(T, H, W, C)`` of a stored sequence."""
        return self.stored_frames, self.height, self.width, self.channels

    def build(self, clip: Clip, detector: FaceDetector | None = None) -> BuiltSequence:
        """Make the sequence of one clip."""
        raise NotImplementedError

    def describe(self) -> list[str]:
        """Describe the recipe in plain sentences, deviations from its paper among them."""
        return []

    def picture(self, frames: NDArray[Any]) -> NDArray[np.uint8] | None:
        """Draw what a report shows of a sequence: ``uint8`` RGB ``(H, W, 3)``, here a film strip; ``None`` for nothing.

        Parameters
        ----------
        frames : numpy.ndarray
            A sequence of this recipe, ``stored_shape``.
        """
        if self.dtype != "uint8" or self.channels not in (1, 3):
            return None
        return film_strip(frames, reference_first=self.motion == "difference")

    def picture_caption(self, info: Mapping[str, Any], n_frames: int) -> str:
        """Say in a sentence what the picture of a sequence shows.

        Parameters
        ----------
        info : mapping of str to object
            Facts of the sequence, as :meth:`build` gives them.
        n_frames : int
            Frames of its clip.
        """
        since = "onset" if self.motion == "difference" else "first"
        return (
            f"Above, evenly spaced frames of the sequence (apex: frame {info.get('apex')} of {n_frames}); below, what "
            f"changed since the {since} frame: lighter in red, darker in blue."
        )

    def content_hash(self) -> str:
        """Compute 16 hex digits over the fields and the versions of all that makes the pixels; keys the cache."""
        from fleeting.faces.detector import LANDMARKS_SHA256, landmark_file

        landmarks: str = LANDMARKS_SHA256
        path = landmark_file()
        if path.parent.parent.name != "face_recognition_models":
            try:
                with path.open("rb") as file:
                    landmarks = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as exc:
                raise FleetingError(f"{path}: the landmark file cannot be read ({exc.strerror or exc})") from exc
        content = {
            "recipe": self.model_dump(mode="json"),
            "pixels": PIXELS_VERSION,
            "opencv": _opencv_version(),
            "dlib": version("dlib-bin"),
            "landmarks": landmarks,
        }
        if (source := source_digest(type(self))) is not None:
            content["source"] = source  # of a recipe from outside, nobody raises a version
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _opencv_version() -> str:
    """The version of the OpenCV that is installed, named unless it is the one that we ask for."""
    for name in _OPENCV:
        try:
            return version(name) if name == _OPENCV[0] else f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "unknown"


RECIPES: Registry[type[Recipe]] = Registry("recipe")
R = TypeVar("R", bound=type[Recipe])


def register_recipe(name: str) -> Callable[[R], R]:
    """Make a recipe known by name; use it as a class decorator.

    Parameters
    ----------
    name : str
        Name by which :func:`create_recipe` finds it.

    Raises
    ------
    UsageError
        If the name is taken, or is no name.
    """

    def register(recipe: R) -> R:
        RECIPES.add(name, recipe)
        return recipe

    return register


def list_recipes(pattern: str = "*") -> list[str]:
    """List the names of the registered recipes that match a wildcard, sorted.

    >>> list_recipes("t*")
    ['talluri2022']
    """
    return RECIPES.list(pattern)


def create_recipe(name: str, **fields: Any) -> Recipe:
    """Make a recipe by name, with some of its fields changed.

    Raises
    ------
    UsageError
        For an unknown recipe, an unknown field, or a value out of range; says which and lists the choices.
    """
    cls = RECIPES.find(name)
    try:
        return cls(**fields)
    except ValidationError as exc:
        raise UsageError(f"recipe {name}: {_explain(exc, cls)}") from exc


def recipe_from_dict(fields: Mapping[str, Any]) -> Recipe:
    """Make the recipe whose ``model_dump`` is ``fields``."""
    rest = dict(fields)
    return create_recipe(str(rest.pop("name", "")), **rest)


def _explain(error: ValidationError, cls: type[Recipe]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if not name:
        return first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = [field for field in cls.model_fields if field != "name"]
        return f"no field {name!r}; its fields are: {', '.join(known)}"
    return f"{name}={first.get('input')!r}: {first['msg']}"
