"""Pictures out of variables: figures and images become PNG files that a model can look at.

The libraries are never imported from here: a value can only be theirs where they are loaded.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bestchat_server_ext.core.errors import InvalidRequest, TooLarge
from bestchat_server_ext.core.messages import ImagePart

LARGEST = 5_000_000
"""Bytes that one picture may have: what the strictest provider takes."""

LONGEST_SIDE = 2048
"""Pixels; an image of Pillow's that is larger is sent smaller, as providers would make it."""

PICTURES = 8
"""Pictures that may go along with one message."""

_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


def pictures(names: tuple[str, ...], namespace: Mapping[str, object]) -> tuple[ImagePart, ...]:
    """The pictures that some variables hold.

    Raises:
        InvalidRequest: a variable is missing or holds none, or there are too many.
    """
    if len(names) > PICTURES:
        raise InvalidRequest(
            f"{len(names)} pictures are too many for one message.",
            hint=f"Send at most {PICTURES}.",
            field="--image",
        )
    return tuple(_picture(name, namespace) for name in names)


def _picture(name: str, namespace: Mapping[str, object]) -> ImagePart:
    if name not in namespace:
        raise InvalidRequest(
            f"There is no variable {name[:40]!r} to take a picture from.",
            hint="Name a variable that holds a figure or an image.",
            field="--image",
        )
    try:
        data = _file(namespace[name])
    except Exception as error:
        raise InvalidRequest(
            f"The picture of {name!r} could not be drawn: {type(error).__name__} was raised.",
            hint="Draw it in a cell of its own to see why.",
            field="--image",
        ) from error
    media_type = _media_type(data)
    if media_type is None:
        raise InvalidRequest(
            f"{name!r} holds no picture.",
            hint="It can be a figure of matplotlib, an image of Pillow, IPython's Image, or the "
            "bytes of a PNG, JPEG, GIF or WebP file.",
            field="--image",
        )
    if len(data) > LARGEST:
        raise TooLarge(
            f"The picture of {name!r} has {len(data):,} bytes; {LARGEST:,} can be sent.",
            hint="Make it smaller.",
            field="--image",
        )
    return ImagePart(media_type, data)


def _file(value: object) -> bytes:
    """The bytes of a picture file; empty if a value is none."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if _is_of(value, "PIL.Image", "Image"):
        return _of_pillow(value)
    figure: Any = value if _is_of(value, "matplotlib.figure", "Figure") else None
    if figure is None and _is_of(value, "matplotlib.axes", "Axes"):
        figure = getattr(value, "figure", None)
    if figure is not None:
        return _saved(
            lambda file: figure.savefig(
                file,
                format="png",
                bbox_inches="tight",
                # Who drew it is no part of the picture, and would change with every version.
                metadata={"Software": None},
            )
        )
    if _is_of(value, "IPython.display", "Image"):
        data = getattr(value, "data", None)
        return data if isinstance(data, bytes) else b""
    return _of_repr(value)


def _of_pillow(image: Any) -> bytes:  # noqa: ANN401  Pillow need not be there
    if max(image.size) > LONGEST_SIDE:
        image = image.copy()
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA"}:
        image = image.convert("RGB")
    return _saved(lambda file: image.save(file, format="PNG"))


def _of_repr(value: object) -> bytes:
    """What a value of any other library shows of itself in a notebook."""
    show = getattr(type(value), "_repr_png_", None)
    shown = show(value) if callable(show) else None
    return shown if isinstance(shown, bytes) else b""


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _media_type(data: bytes) -> str | None:
    for beginning, media_type in _KINDS.items():
        if data.startswith(beginning):
            return media_type
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _is_of(value: object, module: str, name: str) -> bool:
    known = getattr(sys.modules.get(module), name, None)
    return isinstance(known, type) and issubclass(type(value), known)
