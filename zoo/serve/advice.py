"""What a client probably meant by a request that was refused, and what to send instead.

Looks at refused requests only: TensorFlow Serving takes any string for a model's bytes, and so does
this server, so a base64 text is wrong only once the model has refused it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from zoo.datasets.files import HEAD_BYTES, image_format
from zoo.serve.signature import DEFAULT, Array, Signature
from zoo.serve.tensors import decode_base64, is_base64

MAX_LEAVES = 100  # Values looked at in one request.
_SHOWN = 12  # Letters of a value that are repeated.
_PREFIX = 4096  # Letters of a value that are looked at.
_MIN_BASE64 = 64  # Shorter texts may be words.
_OF_MODELS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")  # Formats that an exported graph decodes.
WRAPPED = "The value of b64"
_KEY = '{"b64": "..."}'
_FILES = "Send the file's bytes in base64, as " + _KEY + "."
_IMAGE_NAME = re.compile(r"[^\n]*\.(jpe?g|jfif|png|gif|bmp|webp|tiff?|heic|avif)", re.IGNORECASE)
_ADDRESS = re.compile(r"(https?|ftp|file|s3|gs|blob)://?\S+", re.IGNORECASE)
_DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]+=*\s*")
_OTHER_KEYS = frozenset(
    ("base64", "bytes", "data", "content", "image", "img", "image_bytes", "file", "b64_json",
     "blob", "buffer", "url", "uri", "image_url", "path", "filename", "value")
)  # fmt: skip
_ROW_KEYS = frozenset(
    ("instance", "image", "images", "data", "input", "rows", "row", "examples", "example", "b64",
     "inputs_data", "image_bytes", "file", "files", "batch", "x", "dataframe_split", "payload")
)  # fmt: skip


# What a body is.


def about_body(body: bytes, content_type: str) -> str | None:
    """Explains a body that is not JSON, or not an object.

    Args:
        body: of the request.
        content_type: the header; empty if there is none.
    """
    start = body[:_PREFIX]
    kind = image_format(start)
    if kind is not None:
        return f"The body is a {kind} file itself. Expected JSON. {_FILES}"
    if content_type.lower().startswith("multipart/") or b"Content-Disposition:" in start:
        return f"The body is a form (multipart/form-data). Expected JSON. {_FILES}"
    if start.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return "The body is compressed. Send it as it is."
    if start.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return "The body is not plain UTF-8. Write it as UTF-8 without a byte order mark."
    if start.startswith((b"\x93NUMPY", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")):
        return "The body is a file of Python or NumPy. Send nested lists in JSON: array.tolist()."
    text = start.decode("utf-8", "replace").strip()
    if re.match(r"[\[{]\s*'", text):
        return "JSON has double quotes. In Python, write it with json.dumps(...)."
    if text.startswith("{"):
        return None  # The parser's message says what is wrong.
    if text.startswith(("[", '"')):
        return 'Expected an object: {"instances": [...]}.'
    if text.startswith("@"):
        return "To send a file's content with curl, give `-d @FILE` without quotes or a space."
    if re.match(r"(instances|inputs|image|file|data)=", text) or "%7B" in text[:20]:
        return "The body is a form (application/x-www-form-urlencoded). Expected JSON."
    if not text and not body:
        return "Send JSON in the body of the request."
    return about_text(text, "The body")


# What a value is.


def about_text(text: str, what: str = "The value") -> str | None:
    """Explains a string that stands where an image file should.

    Args:
        text: the string.
        what: names it, at the start of a sentence.
    """
    start = text[:_PREFIX].strip()
    if url := _DATA_URL.match(start):
        shown = start[url.end() :][:_SHOWN]
        return f'{what} is a data URL. Send what follows its comma, as {{"b64": "{shown}..."}}.'
    if start.startswith(("b'", 'b"')):
        return (
            f"{what} is how Python prints bytes. Send "
            '{"b64": base64.b64encode(data).decode()} instead.'
        )
    if start.startswith(("{", "[")) and "b64" in start:
        return f"{what} is JSON within a string. Send the object itself: {_KEY}, without quotes."
    if _ADDRESS.fullmatch(start):
        return f"{what} is an address, and the server fetches nothing. {_FILES}"
    if _IMAGE_NAME.fullmatch(start):
        return f"{what} is the name of a file, and the server reads no files. {_FILES}"
    if image_format(start.encode("latin-1", "ignore")) or start.startswith("\ufffdPNG"):
        return f"{what} holds the bytes of a file as letters. {_FILES}"
    return _about_encoded(start, what)


def _about_encoded(start: str, what: str) -> str | None:
    """Explains the start of a text in base64 or hexadecimal."""
    digits = re.match(r"(?:0x|\\x)?((?:[0-9a-fA-F]{2}[\s:]?)+)", start)
    if digits and image_format(bytes.fromhex(re.sub(r"[\s:]", "", digits[1])[:64])):
        return f"{what} is hexadecimal. {_FILES}"
    if not _BASE64.fullmatch(start):
        return None
    data = _decode_start(start)
    kind = image_format(data)
    if kind is None and (len(start) < _MIN_BASE64 or not re.search(r"[0-9+/_-]", start)):
        return None
    holds = f", of a {kind} file" if kind else ""
    shown = start[:_SHOWN].replace("-", "+").replace("_", "/")
    url_safe = " with + and / for - and _" if re.search(r"[-_]", start) else ""
    if what == WRAPPED:
        return f"{what} is a text in base64{holds}. Write it{url_safe or ' without mistakes'}."
    return (
        f'{what} is a text in base64{holds}, not the file. Wrap it{url_safe}: {{"b64": '
        f'"{shown}..."}}. If it is wrapped, it was encoded twice.'
    )


def _decode_start(text: str) -> bytes:
    letters = re.sub(r"[\s=]", "", text).replace("-", "+").replace("_", "/")
    letters = letters[: len(letters) // 4 * 4]
    try:
        return binascii.a2b_base64(letters)
    except ValueError:
        return b""


def about_bytes(data: bytes, is_image: bool) -> str | None:
    """Explains bytes that a model refused.

    Args:
        data: what stood for a file.
        is_image: whether the model spoke of an image.
    """
    kind = image_format(data[:HEAD_BYTES])
    if kind is not None and kind not in _OF_MODELS:
        return f"The file is {kind}, which the model does not read. Send it as JPEG or PNG."
    if kind is not None:
        return None  # A damaged image: the model's own reason says more.
    text = data[:_PREFIX].decode("utf-8", "replace")
    if "\ufffd" not in text:
        advice = about_text(text)
        is_text = is_image and text.isprintable() and text
        return advice or (f"The value is a text, not a file. {_FILES}" if is_text else None)
    letters = binascii.b2a_base64(data[:48], newline=False).decode()
    if re.fullmatch(r"[0-9a-fA-F]{16,}={0,2}", letters):
        return f"{WRAPPED} is hexadecimal. {_FILES}"
    if is_image and len(data) >= _MIN_BASE64:
        return (
            "The bytes begin as no image file does. If they are the pixels of an array "
            "(array.tobytes()), send array.tolist() instead."
        )
    return None


def _about_leaf(value: Any, names: Container[str]) -> str | None:
    """Explains a JSON value that stands where {"b64": ...} should; `names`: of the inputs."""
    if type(value) is str:
        return about_text(value)
    if type(value) is not dict or not value:
        return None
    if type(value.get("data")) is list and value.get("type") == "Buffer":
        return f"The value is a Buffer of Node.js. {_FILES} In Node.js: data.toString('base64')."
    if "b64" in value:
        text = value["b64"]
        if type(text) is not str:
            return f"{WRAPPED} is no string. Expected a file's bytes in base64."
        if len(value) > 1:
            return f"An object with b64 has no other key. Expected {_KEY}."
        if image_format(decode_base64(text[:64]) or b""):
            return None  # It is right; the place may be wrong.
        return about_text(text, WRAPPED) if text else "The value of b64 is empty."
    key = next(iter(value))
    if len(value) == 1 and key not in names and key.lower() in _OTHER_KEYS:
        return f"Expected the key b64, not {key.lower()}: {_KEY}."
    return None


def _is_file_in_numbers(value: Any) -> bool:
    """Whether a value is a list of an image file's bytes as numbers, with or without a sign."""
    if type(value) is not list or len(value) < 8:
        return False
    start = value[:32]
    if not all(type(byte) is int and -128 <= byte <= 255 for byte in start):
        return False
    return image_format(bytes(byte & 255 for byte in start)) is not None


# What a document is.


def about_document(
    document: Mapping[str, Any], signature: Signature | None, signatures: Mapping[str, Signature]
) -> str | None:
    """Explains a JSON object that is no request, or does not fit its signature.

    Args:
        document: the body.
        signature: that the request names; None if it was not found.
        signatures: of the model, by name.
    """
    inputs = document.get("inputs")
    if type(inputs) is list and any(type(one) is dict and "datatype" in one for one in inputs):
        return 'This is the protocol V2 of KServe. Expected V1: {"instances": [...]}.'
    rows = document.get("instances", inputs)
    if "instances" not in document and "inputs" not in document:
        return _about_missing_rows(document)
    if signature is None:
        return f"The model's signatures: {', '.join(signatures)}."
    key = "instances" if "instances" in document else "inputs"
    if is_base64(rows):
        return f'Expected a list, also for one image: {{"{key}": [{{"b64": "..."}}]}}.'
    if type(rows) is list and rows and type(rows[0]) is list and any(map(is_base64, rows[0])):
        return f'A file has no brackets of its own: {{"{key}": [{{"b64": "..."}}, ...]}}.'
    return _about_rows(rows, signature, signatures)


def _about_missing_rows(document: Mapping[str, Any]) -> str | None:
    lower = {key.lower(): key for key in document}
    for word in ("instances", "inputs"):
        if word in lower:
            return f"Write the key {word} in small letters."
    near = sorted(_ROW_KEYS & lower.keys())
    received = f" in place of {lower[near[0]]}" if near else ""
    return f'Expected the key instances{received}: {{"instances": [ROW, ...]}}.'


def _about_rows(rows: Any, signature: Signature, signatures: Mapping[str, Signature]) -> str | None:
    names = signature.inputs.keys()
    dtypes = {info.dtype for info in signature.inputs.values()}
    if "string" in dtypes:
        for value in _leaves(rows, names):
            if _is_file_in_numbers(value):
                return f"The value is a list of a file's bytes. {_FILES}"
            if advice := _about_leaf(value, names):
                return advice
            if type(value) in (int, float) and (other := _of_arrays(signatures)):
                return (
                    f"Signature {signature.name} takes files. For decoded pixels send also "
                    f'"signature_name": "{other}".'
                )
        return None
    if any(is_base64(value) or type(value) is str for value in _leaves(rows, names)):
        other = _of_files(signatures)
        if other is not None:
            without = "leave out signature_name" if other == DEFAULT else f"name {other}"
            return f"Signature {signature.name} takes arrays of numbers. For files {without}."
    return None


def _leaves(value: Any, names: Container[str]) -> Iterator[Any]:
    """The first values of nested lists and of rows' objects; lists that may be files whole."""
    stack, count = [value], 0
    while stack and count < MAX_LEAVES:
        value = stack.pop()
        count += 1
        if type(value) is list and not _is_file_in_numbers(value):
            stack.extend(reversed(value[:MAX_LEAVES]))
        elif type(value) is dict and value and "b64" not in value and not _about_leaf(value, names):
            stack.extend(reversed(list(value.values())[:MAX_LEAVES]))
        else:
            yield value


def _of_arrays(signatures: Mapping[str, Signature]) -> str | None:
    """A signature whose one input is an array of decoded images."""
    for name, signature in signatures.items():
        infos = list(signature.inputs.values())
        if len(infos) == 1 and infos[0].dtype != "string" and len(infos[0].shape or ()) == 4:
            return name
    return None


def _of_files(signatures: Mapping[str, Signature]) -> str | None:
    """A signature whose one input is strings; the default one if possible."""
    fits = [
        name
        for name, signature in signatures.items()
        if [info.dtype for info in signature.inputs.values()] == ["string"]
    ]
    return DEFAULT if DEFAULT in fits else next(iter(fits), None)


def about_arrays(arrays: Iterable[Array], message: str) -> str | None:
    """Explains the strings of a request that a model refused.

    Args:
        arrays: the request's inputs.
        message: the model's reason.
    """
    for array in arrays:
        if array.dtype == object:
            for data in array.ravel()[:MAX_LEAVES]:
                if advice := about_bytes(data, "image" in message):
                    return advice
    return None
