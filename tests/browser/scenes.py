"""What is in the threads of a screenshot: people of a small workshop, their messages and their pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import httpx
import psycopg
from PIL import Image

from tests.e2e.deployment import Deployment

THREAD: Final = "order-4711"
ME: Final = "maria"
YESTERDAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """A message: who says what, how long ago, and what comes of it."""

    by: str
    text: str
    ago: timedelta = timedelta()
    files: tuple[tuple[str, bytes], ...] = ()
    reply_to: int | None = None
    reactions: tuple[tuple[str, str], ...] = ()
    edited: str | None = None
    deleted: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def picture(width: int, height: int, sky: tuple[int, int, int], ground: tuple[int, int, int]) -> bytes:
    """A landscape: hills under an evening sky."""
    image = Image.new("RGB", (width, height))
    pixels = image.load()
    assert pixels is not None
    for x in range(width):
        ridges = [
            height * (0.5 + 0.13 * level + 0.06 * math.sin(x / width * (5 + 2 * level) + level * 1.7))
            for level in range(4)
        ]
        for y in range(height):
            depth = sum(y > ridge for ridge in ridges)
            if depth == 0:
                glow = y / height
                pixels[x, y] = tuple(int(c + (250 - c) * glow * 0.9) for c in sky)
            else:
                pixels[x, y] = tuple(int(c * (1.15 - 0.22 * depth)) for c in ground)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def story() -> list[Line]:
    """One's own thread: everything that a message can be."""
    hour = timedelta(hours=1)
    photo = picture(1200, 800, (86, 120, 190), (70, 110, 92))
    other = picture(900, 900, (196, 110, 92), (92, 76, 110))
    return [
        Line("tom", "Hi Maria, the oak for your table has arrived. Shall I start on Thursday?", YESTERDAY + 2 * hour),
        Line("maria", "Yes please! Thursday is perfect.", YESTERDAY + 2 * hour, reactions=(("tom", "👍"),)),
        Line("tom", "This is the grain I had in mind", YESTERDAY + hour, files=(("grain.jpg", photo),)),
        Line("maria", "Oh, that is beautiful 😍", YESTERDAY + hour, reply_to=3, reactions=(("tom", "❤️"),)),
        Line("tom", "Good morning! Legs are done, the top gets its first oil today.", 3 * hour),
        Line(
            "tom",
            "Plan and invoice for your files",
            3 * hour,
            files=(("table-plan-final.pdf", b"%PDF-1.4\n" + b"0" * 182_000), ("corner.jpg", other)),
        ),
        Line(
            "maria",
            "Wonderful, thank you. Could you round the corners a little?",
            2 * hour,
            edited="Wonderful, thank you. Could you round the corners a little more, about 12 mm?",
        ),
        Line("tom", "Sure, 12 mm it is", 2 * hour, reply_to=7, reactions=(("maria", "🎉"), ("maria", "🙏"))),
        Line("tom", "wrong chat, sorry", 2 * hour, deleted=True),
        Line("maria", "When can we pick it up?", timedelta(minutes=4)),
        Line("tom", "Saturday from ten. Here is the way: https://maps.example.com/workshop", timedelta(minutes=2)),
        Line("tom", "🎉", timedelta(minutes=1)),
    ]


RTL: Final = "kitchen-il"
RTL_LINES: Final = [
    Line("noa", "שלום! המטבח מוכן, אפשר לבוא ביום שישי?", YESTERDAY),
    Line("maria", "כן, בשמחה. באיזו שעה?", YESTERDAY, reactions=(("noa", "👍"),)),
    Line("noa", "בעשר. הכתובת: https://maps.example.com/kitchen", timedelta(minutes=9), reply_to=2),
    Line("maria", "And in English: see you on Friday at ten.", timedelta(minutes=8)),
    Line("noa", "تمام، إلى اللقاء يوم الجمعة", timedelta(minutes=5), files=(("תוכנית.pdf", b"%PDF-1.4 plan"),)),
]

HARD: Final = "hard"
HARD_LINES: Final = [
    Line("tom", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2),
    Line("elif", "https://example.com/a/very/long/path/" + "that-never-ends/" * 12 + "?and=more"),
    Line("maria", "x" * 180, reply_to=2),
    Line("elif", "One\n\nTwo, with a gap\n    and an indent\n" + "Long text flows on and on. " * 14),
    Line("maria", "short"),
    Line("maria", "👍🏽👨‍👩‍👧‍👦"),
    Line("tom", "@maria did you see this?", more={"mentions": ["maria"]}),
    Line("tom", "", files=(("only-a-file.zip", b"PK" + b"0" * 2_400_000),)),
    Line("tom", "tall", files=(("tall.jpg", picture(300, 900, (90, 90, 160), (90, 120, 90))),)),
    Line(
        "elif",
        "a word: " + "👍" * 40,
        reactions=tuple((who, emoji) for who in ("maria", "tom") for emoji in "😀😂🎉🙏👀🔥💯🚀"),
    ),
]

HOUR: Final = timedelta(hours=1)
OTHERS: Final = (
    ("order-4698", "Garden bench", "elif", (
        Line("maria", "Looks great, I will pay today", 2 * HOUR),
        Line("elif", "Thank you! It leaves the workshop tomorrow.", HOUR),
    )),
    ("team", "Workshop", "dmitri,tom", (
        Line("dmitri", "Who has the long clamps?", 4 * HOUR),
        Line("tom", "@maria had them last", 4 * HOUR, more={"mentions": ["maria"]}),
    )),
    ("order-4640", "", "carol", (Line("carol", "Perfect, see you then", YESTERDAY), Line("maria", "👍", YESTERDAY))),
    ("order-4588", "Shelf, second try", "amelie", (Line("amelie", "Bien reçu, merci beaucoup !", 9 * YESTERDAY),)),
)  # fmt: skip


async def furnish(stack: Deployment, thread: str, title: str, members: list[str], lines: Sequence[Line]) -> None:
    """Make the thread, and everything that was said in it, at its time."""
    people = [stack.rest(user) for user in members]
    by_name = dict(zip(members, people, strict=True))
    for user, rest in by_name.items():
        if user == members[0]:
            body = {"id": thread, "title": title or None, "members": [{"userId": other} for other in members[1:]]}
            (await rest.post("/api/chat/threads", json=body)).raise_for_status()
    for seq, line in enumerate(lines, 1):
        await _say(by_name, thread, seq, line)
    for rest in people:
        await rest.aclose()
    with psycopg.connect(stack.stack.ready["postgres"]) as ledger:
        for seq, line in enumerate(lines, 1):
            ledger.execute(
                "UPDATE messages SET created_at = created_at - %s WHERE thread_id = %s AND seq = %s",
                (line.ago, thread, seq),
            )
        ledger.execute(
            "UPDATE threads SET last_message_at = last_message_at - %s WHERE thread_id = %s", (lines[-1].ago, thread)
        )


async def _say(people: dict[str, httpx.AsyncClient], thread: str, seq: int, line: Line) -> None:
    rest = people[line.by]
    ids = []
    for name, body in line.files:
        uploaded = await rest.post("/api/chat/attachments", params={"threadId": thread, "name": name}, content=body)
        ids.append(uploaded.raise_for_status().json()["id"])
    message = {"threadId": thread, "content": line.text, "attachmentIds": ids, **line.more}
    if line.reply_to:
        message["replyToId"] = f"{thread}~{line.reply_to}"
    (await rest.post("/api/chat/messages", json=message)).raise_for_status()
    where = f"/api/chat/messages/{thread}~{seq}"
    for by, emoji in line.reactions:
        (await people[by].put(f"{where}/reactions/{emoji}")).raise_for_status()
    if line.edited:
        (await rest.patch(where, json={"content": line.edited})).raise_for_status()
    if line.deleted:
        (await rest.delete(where)).raise_for_status()
