"""Reads single fields out of a frame without decoding it: the generator must stay cheap."""


def text_field(frame: bytes, name: bytes) -> bytes:
    """The value of the first `"name":"value"`, b"" when absent."""
    marker = b'"' + name + b'":"'
    start = frame.find(marker)
    if start < 0:
        return b""
    start += len(marker)
    return frame[start : frame.find(b'"', start)]


def int_field(frame: bytes, name: bytes) -> int:
    """The value of the first `"name":123`, -1 when absent."""
    marker = b'"' + name + b'":'
    start = frame.find(marker)
    if start < 0:
        return -1
    start += len(marker)
    end = start
    while frame[end : end + 1].isdigit():
        end += 1
    return int(frame[start:end])
