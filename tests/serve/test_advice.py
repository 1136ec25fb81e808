"""What a refused request is told: near misses of real clients."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.serve.conftest import PREDICT, Client, b64, instances
from tests.serve.models import SIDE, png
from zoo.serve.advice import about_body, about_text

PNG = png(128)
TEXT = base64.b64encode(PNG).decode()
JPEG = b"\xff\xd8\xff\xfb\xff\xfe" * 20  # Its base64 has + and /.
SAFE = base64.urlsafe_b64encode(JPEG).decode()
WRAP = 'Wrap it: {"b64": "iVBORw0KGgoA..."}'
FILES = 'Send the file\'s bytes in base64, as {"b64": "..."}.'
PIXELS = [[[[0, 0, 0]] * SIDE] * SIDE]


@pytest.mark.parametrize(
    "document, advice",
    [
        ({"instances": [TEXT]}, WRAP),
        ({"instances": [b64(PNG), TEXT]}, WRAP),
        ({"instances": [{"image_bytes": TEXT}]}, WRAP),
        ({"inputs": [TEXT]}, WRAP),
        ({"inputs": {"image_bytes": [TEXT.rstrip("=")]}}, WRAP),
        ({"instances": ["\n".join(TEXT[i : i + 76] for i in range(0, len(TEXT), 76))]}, WRAP),
        ({"instances": [b64(TEXT.encode())]}, "it was encoded twice"),
        ({"instances": [SAFE]}, 'Wrap it with + and / for - and _: {"b64": "/9j/+//+/9j/..."}'),
        ({"instances": [{"b64": SAFE}]}, "Write it with + and / for - and _."),
        ({"instances": [f"data:image/png;base64,{TEXT}"]}, 'data URL. Send what follows its comma'),
        ({"instances": [{"b64": f"data:image/png;base64,{TEXT}"}]}, "The value of b64 is a data U"),
        ({"instances": [list(PNG)]}, "a list of a file's bytes. " + FILES),
        ({"instances": [{"image_bytes": [byte - 256 * (byte > 127) for byte in PNG]}]},
         "a list of a file's bytes. " + FILES),
        ({"instances": list(PNG)}, "a list of a file's bytes. " + FILES),
        ({"instances": [PNG.hex()]}, "hexadecimal. " + FILES),
        ({"instances": [{"b64": (PNG + b"\0" * (-len(PNG) % 2)).hex()}]}, "b64 is hexadecimal."),
        ({"instances": [str(PNG)]}, "base64.b64encode(data).decode()"),
        ({"instances": [PNG.decode("latin-1")]}, "the bytes of a file as letters. " + FILES),
        ({"instances": ["photos/my cat.JPG"]}, "the name of a file, and the server reads no files"),
        ({"instances": ["C:\\photos\\cat.png"]}, "the name of a file"),
        ({"instances": ["https://example.com/cat?size=2"]}, "the server fetches nothing"),
        ({"instances": [{"image_url": "https://example.com/cat"}]}, "Expected the key b64, not im"),
        ({"instances": [{"Base64": TEXT}]}, "Expected the key b64, not base64"),
        ({"instances": [{"type": "Buffer", "data": list(PNG)}]}, "data.toString('base64')"),
        ({"instances": [{"b64": TEXT, "name": "cat"}]}, "An object with b64 has no other key"),
        ({"instances": [json.dumps(b64(PNG))]}, "JSON within a string"),
        ({"instances": [b64(bytes(range(256)) * 12)]}, "send array.tolist() instead."),
        ({"instances": [{"b64": 7}]}, "The value of b64 is no string"),
        ({"instances": ["a cat"]}, "a text, not a file. " + FILES),
        ({"instances": [b64(b"II*\0" + b"x" * 99)]}, "The file is TIFF, which the model does not"),
        ({"instances": b64(PNG)}, 'also for one image: {"instances": [{"b64": "..."}]}'),
        ({"inputs": b64(PNG)}, 'also for one image: {"inputs": [{"b64": "..."}]}'),
        ({"instances": [[b64(PNG)]]}, "A file has no brackets of its own"),
        ({"instance": [b64(PNG)]}, "Expected the key instances in place of instance"),
        ({"images": [b64(PNG)]}, "Expected the key instances in place of images"),
        ({"Instances": [b64(PNG)]}, "Write the key instances in small letters"),
        (b64(PNG), "Expected the key instances in place of b64"),
        ([b64(PNG)], 'Expected an object: {"instances": [...]}'),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]},
         "the protocol V2 of KServe"),
        ({"instances": PIXELS}, 'For decoded pixels send also "signature_name": "serve_uint8"'),
        ({"signature_name": "serve_uint8", "instances": [b64(PNG)]}, "For files leave out signatu"),
        ({"signature_name": "serve_unit8", "instances": PIXELS},
         "The model's signatures: serve_uint8, serving_default."),
    ],
)  # fmt: skip
def test_documents(pictures: Client, document: Any, advice: str) -> None:
    answer = pictures.post(PREDICT, document)
    assert answer.code == 400
    assert advice in answer.error
    url = f"http://127.0.0.1:{pictures.port}{PREDICT}"
    assert (
        f'"b64": "\'; base64 -w0 IMAGE.png; printf \'"}}]}}\') | curl -d @- {url}' in answer.error
    )


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_one_image_without_its_list(pictures: Client, key: str) -> None:
    document = {"signature_name": "serve_uint8", key: PIXELS[0]}
    answer = pictures.post(PREDICT, document)
    assert answer.code == 400
    assert answer.error.endswith("A single one stands in a list, too: [...].")
    assert pictures.post(PREDICT, {**document, key: PIXELS}).code == 200


@pytest.mark.parametrize(
    "body, content_type, advice",
    [
        (PNG, "image/png", "The body is a PNG file itself. Expected JSON. " + FILES),
        (JPEG, "application/octet-stream", "The body is a JPEG file itself"),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" + PNG + b"\r\n--x--\r\n",
         "multipart/form-data; boundary=x", "The body is a form (multipart/form-data)"),
        (b"image=cat.jpg", "application/x-www-form-urlencoded", "The body is a form (application/"),
        (TEXT.encode(), "text/plain", "The body is a text in base64, of a PNG file"),
        (b"data:image/png;base64," + TEXT.encode(), "", "The body is a data URL"),
        (b"cat.jpg", "", "The body is the name of a file"),
        (b"@request.json", "", "give `-d @FILE`"),
        (str(instances(PNG)).encode(), "", "write it with json.dumps(...)"),
        (gzip.compress(b"{}", mtime=0), "", "The body is compressed"),
        (json.dumps(instances(PNG)).encode("utf-16"), "", "without a byte order mark"),
        (b"\xef\xbb\xbf{}", "", "without a byte order mark"),
        (b"\x93NUMPY\x01", "", "array.tolist()"),
        (b"", "", "Send JSON in the body"),
    ],
)  # fmt: skip
def test_bodies(pictures: Client, body: bytes, content_type: str, advice: str) -> None:
    answer = pictures.ask("POST", PREDICT, body, **{"Content-Type": content_type})
    assert answer.code == 400
    assert advice in answer.error
    assert "| curl -d @- http://" in answer.error


@pytest.mark.parametrize(
    "text", ["hello", "a cat", "12345678", "deadbeef", "The quick brown fox", "x" * 20, ""]
)
def test_words_are_no_files(text: str) -> None:
    """A model of texts may refuse one for reasons of its own."""
    assert about_text(text) is None


def test_what_is_right_gets_no_advice(pictures: Client) -> None:
    assert about_body(b'{"instances": [1', "application/json") is None
    answer = pictures.post(PREDICT, instances(PNG[:60]))
    assert "it is broken or cut short" in answer.error
    assert "Try:" not in answer.error
    assert pictures.post(PREDICT, {"instances": [None]}).code == 400


def test_other_paths_and_methods(pictures: Client) -> None:
    for method, path in (("POST", "/predict"), ("POST", "/v1/models/pictures"), ("GET", PREDICT),
                         ("POST", "/v1/models/pictures/predict")):  # fmt: skip
        answer = pictures.ask(method, path, "{}" if method == "POST" else None)
        assert answer.code in (400, 404)
        assert f"Expected POST {PREDICT}" in answer.error
    answer = pictures.post("/v1/models/pictures:classify", instances(PNG))
    assert "For instances and inputs, the method is :predict." in answer.error


@pytest.mark.parametrize("name", ["Content-Encoding", "Transfer-Encoding"])
def test_compressed_bodies(pictures: Client, name: str) -> None:
    """A bomb is refused before it is unpacked."""
    body = gzip.compress(b" " * 1_000_000)
    value = "gzip"
    if name == "Transfer-Encoding":
        value, body = "gzip, chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answer = pictures.ask("POST", PREDICT, body, **{name: value})
    assert answer.code == 415
    assert f"{name}: gzip: compressed bodies are not taken" in answer.error
