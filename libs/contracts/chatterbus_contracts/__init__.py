"""What the parts of Chatterbus say to each other, and to clients, as pure pydantic.

Promises: every name, limit, code, frame, command and subject of the system is defined here once, and decoding bytes
yields a value or a :class:`~chatterbus_contracts.codec.DecodeError`, nothing else. Imports only pydantic and the
standard library. Does no input or output, and knows no service.
"""

PROTOCOL_VERSION = 1
