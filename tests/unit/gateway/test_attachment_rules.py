"""Names, types, ranges and headers of files: the rules that need nothing."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import AttachmentId
from chatterbus_contracts.limits import ATTACHMENT_NAME_MAX_CHARS
from chatterbus_contracts.objects import file_key, thumbnail_key
from chatterbus_gateway.attachments import pictures
from chatterbus_gateway.attachments.content_types import SHOWN, UNKNOWN, content_type_of
from chatterbus_gateway.attachments.form_part import FIELDS_MAX_BYTES, FormPart
from chatterbus_gateway.attachments.names import NAMELESS, clean_name
from chatterbus_gateway.attachments.pictures import Broken, Picture, examine
from chatterbus_gateway.attachments.ranges import ByteRange, Unsatisfiable, asked_range, names_etag
from chatterbus_gateway.attachments.served_headers import disposition, served_headers

ETAG = '"f1"'


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plan.png", "plan.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.png", "plan.png"),
        ("a\x00b\r\nc\x1b.txt", "abc.txt"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("  many   spaces .txt ", "many spaces .txt"),
        ("Zeichnung u\u0308ber.pdf", "Zeichnung über.pdf"),
        ("👩‍👩‍👧.png", "👩‍👩‍👧.png"),
        ("\ud800.txt", ".txt"),
        ("..", NAMELESS),
        ("dir/", NAMELESS),
        ("\u200d", NAMELESS),
        ("", NAMELESS),
        (None, NAMELESS),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_is_one_harmless_line(raw: str | None, clean: str) -> None:
    assert clean_name(raw) == clean


@given(st.text())
def test_no_name_whatever_is_sent_leads_anywhere_or_hides_anything(raw: str) -> None:
    name = clean_name(raw)
    assert 1 <= len(name) <= ATTACHMENT_NAME_MAX_CHARS
    assert not set(name) & set("/\\\0\r\n")
    assert all(unicodedata.category(char)[0] != "C" or char in "\u200c\u200d" for char in name)
    name.encode()


def picture(kind: str, width: int = 40, height: int = 20, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("GIF"), "image/gif"),
        (picture("WEBP"), "image/webp"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"<!DOCTYPE html><html>", UNKNOWN),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", UNKNOWN),
        (b"<?xml version='1.0'?><svg/>", UNKNOWN),
        (b"hello", UNKNOWN),
        (b"", UNKNOWN),
        (b"\0" * 300, UNKNOWN),
    ],
)
def test_the_type_is_read_off_the_bytes(head: bytes, kind: str) -> None:
    assert content_type_of(head) == kind


@given(st.binary(max_size=64))
def test_markup_is_never_taken_for_something_to_show(tail: bytes) -> None:
    assert content_type_of(b"<html>" + tail) not in SHOWN


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        (" Bytes = 1 - 2 ", (1, 3)),
        (None, None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=١-٢", None),
        ("bytes=0-" + "9" * 40, None),
    ],
)
def test_a_range_is_honoured_or_passed_over(header: str | None, expected: tuple[int, int] | None) -> None:
    found = asked_range(header, None, ETAG, 100)
    assert (None if found is None else (found.start, found.end)) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_a_range_behind_the_end_can_not_be_had(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        asked_range(header, None, ETAG, size)


@given(st.text(alphabet="bytes=-0123456789, ", max_size=20), st.integers(0, 1000))
def test_a_range_is_never_empty_and_never_outside(header: str, size: int) -> None:
    try:
        found = asked_range(header, None, ETAG, size)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found.start < found.end <= size


def test_a_range_counts_only_for_the_file_it_was_asked_of() -> None:
    assert asked_range("bytes=0-1", ETAG, ETAG, 10) == ByteRange(0, 2)
    assert asked_range("bytes=0-1", '"f2"', ETAG, 10) is None
    assert asked_range("bytes=0-1", "Wed, 21 Oct 2015 07:28:00 GMT", ETAG, 10) is None


@pytest.mark.parametrize(
    ("header", "held"),
    [(None, False), (ETAG, True), (f'"x", W/{ETAG}', True), ("*", True), ('"x"', False), ("f1", False)],
)
def test_a_file_that_the_caller_has_is_not_sent_again(header: str | None, held: bool) -> None:
    assert names_etag(header, ETAG) is held


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plan.png", 'attachment; filename="plan.png"'),
        ("über 5%.pdf", "attachment; filename=\"_ber 5_.pdf\"; filename*=UTF-8''%C3%BCber%205%25.pdf"),
        ('a"b\\c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
        ("x; y='z'.txt", "attachment; filename=\"x; y='z'.txt\""),
    ],
)
def test_the_name_is_told_to_old_and_new_clients(name: str, header: str) -> None:
    assert disposition(name, inline=False) == header


@given(st.text())
def test_no_name_breaks_out_of_its_header(raw: str) -> None:
    header = disposition(clean_name(raw), inline=True)
    assert re.fullmatch(r"inline; filename=\"[ -!#-\[\]-~]*\"(; filename\*=UTF-8''[!-~]+)?", header)


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "application/pdf", "image/tiff", UNKNOWN])
def test_what_could_run_is_downloaded_under_a_sandbox(kind: str) -> None:
    headers = served_headers("a", kind, ETAG)
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")


def test_keys_of_objects_are_plain_and_apart() -> None:
    odd = AttachmentId("a|b@c~f" + "0" * 32)
    assert file_key(odd) == "a=7Cb=40c/f" + "0" * 32
    assert re.fullmatch(r"[A-Za-z0-9_=.-]+/[a-z0-9.]+", thumbnail_key(odd))


def form(*parts: tuple[str, bytes], boundary: str = "b0") -> bytes:
    lines = [f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data for head, data in parts]
    return b"\r\n".join([*lines, f"--{boundary}--\r\n".encode()])


FILE = 'name="file"; filename="a.bin"'


@given(st.binary(max_size=300), st.integers(1, 50))
def test_the_file_of_a_form_comes_out_whatever_the_pieces(data: bytes, size: int) -> None:
    part, body = FormPart("multipart/form-data; boundary=b0"), form(('name="x"', b"field"), (FILE, data))
    out = b"".join(chunk for start in range(0, len(body), size) for chunk in part.feed(body[start : start + size]))
    part.finish()
    assert (out, part.file_name) == (data, "a.bin") or b"\r\n--b0" in data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        form(('name="x"', b"no file")),
        form((FILE, b"one"), (FILE, b"two")),
        form((FILE, b"ends early"))[:-10],
        form(('name="x"', b"x" * (FIELDS_MAX_BYTES + 1)), (FILE, b"y")),
    ],
    ids=["empty", "nonsense", "no file", "two files", "cut", "large fields"],
)
def test_a_form_without_exactly_one_whole_file_is_refused(body: bytes) -> None:
    part = FormPart("multipart/form-data; boundary=b0")
    with pytest.raises(Refusal) as refused:
        _take(part, body)
    assert refused.value.code is ErrorCode.BAD_REQUEST


def _take(part: FormPart, body: bytes) -> None:
    part.feed(body)
    part.finish()


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300])
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(Refusal):
        FormPart(content_type)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_has_dimensions_and_a_small_copy(kind: str) -> None:
    seen = examine(io.BytesIO(picture(kind, 1000, 500)))
    assert isinstance(seen, Picture)
    assert (seen.width, seen.height) == (1000, 500)
    assert seen.thumbnail is not None
    assert Image.open(io.BytesIO(seen.thumbnail)).size == (320, 160)


def test_a_small_picture_is_not_enlarged() -> None:
    seen = examine(io.BytesIO(picture("PNG", 10, 5)))
    assert isinstance(seen, Picture)
    assert seen.thumbnail is not None
    assert Image.open(io.BytesIO(seen.thumbnail)).size == (10, 5)


def test_a_turned_photograph_is_shown_upright_and_tells_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "camera-maker"
    seen = examine(io.BytesIO(picture("JPEG", 800, 400, exif=exif)))
    assert isinstance(seen, Picture)
    assert (seen.width, seen.height) == (400, 800)
    assert seen.thumbnail is not None
    small = Image.open(io.BytesIO(seen.thumbnail))
    assert small.size == (160, 320)
    assert not small.getexif()
    assert b"camera-maker" not in seen.thumbnail


def test_a_transparent_picture_stays_so() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (50, 50), (255, 0, 0, 0)).save(out, "PNG")
    seen = examine(out)
    assert isinstance(seen, Picture)
    assert seen.thumbnail is not None
    assert Image.open(io.BytesIO(seen.thumbnail)).mode == "RGBA"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@given(data=st.data())
def test_a_broken_picture_is_told_and_never_raises(kind: str, data: st.DataObject) -> None:
    whole = bytearray(picture(kind, 60, 60))
    for _ in range(data.draw(st.integers(0, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    assert isinstance(examine(io.BytesIO(bytes(whole[:cut]))), Picture | Broken)


def test_a_bomb_is_measured_and_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    body = picture("PNG", 3000, 2000)
    monkeypatch.setattr(pictures, "DECODED_PIXELS_MAX", 1_000_000)
    assert examine(io.BytesIO(body)) == Picture(3000, 2000, None)
    monkeypatch.setattr(pictures, "HEADER_PIXELS_MAX", 1_000_000)
    assert examine(io.BytesIO(body)) == Picture(3000, 2000, None)


def test_a_large_photograph_is_decoded_at_a_fraction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "DECODED_PIXELS_MAX", 2_000_000)
    seen = examine(io.BytesIO(picture("JPEG", 3000, 2000)))
    assert isinstance(seen, Picture)
    assert seen.thumbnail is not None
