"""A thread too large for one answer: subscribe, details, adding and removing work, and everybody is found."""

from __future__ import annotations

import time

from chatterbus_client import Client, ClientSettings
from tests.e2e.deployment import Deployment
from tests.kit.waiting import until

MEMBERS = 1_200
AT_ONCE = 500
SETTINGS = ClientSettings(request_timeout_s=30)


async def test_a_thread_of_many_members_is_followed_described_and_changed(stack: Deployment, thread: str) -> None:
    others = [f"many-{number:05}" for number in range(MEMBERS)]
    await stack.create_thread(thread, "zoe", "yan")
    began = time.monotonic()
    async with Client(stack.gateways[0], token=stack.token("zoe"), settings=SETTINGS) as zoe:
        for first in range(0, MEMBERS, AT_ONCE):
            await zoe.add_members(thread, others[first : first + AT_ONCE])
        print(f"{MEMBERS} members added in {time.monotonic() - began:.1f} s")

        socket = await stack.join("yan", gateway=2)
        await socket.send("subscribe", threadId=thread, sinceRev=0)
        answer = await socket.expect("subscribed", within_s=30)
        assert [member["userId"] for member in answer["members"]] == [*others[:AT_ONCE], "yan"]
        assert (answer["memberCount"], answer["membersCursor"]) == (MEMBERS + 2, others[AT_ONCE - 1])
        await socket.close()

        details = await zoe.details(thread)
        assert (len(details.members), details.member_count) == (AT_ONCE + 1, MEMBERS + 2)
        assert len((await zoe.receipts(thread)).items) == MEMBERS + 2

        began = time.monotonic()
        view = await zoe.thread(thread)
        await zoe.wait_online(30)
        print(f"followed, with all members, in {time.monotonic() - began:.1f} s")
        assert set(view.members) == {*others, "zoe", "yan"}

        await zoe.remove_member(thread, others[-1])
        await zoe.add_members(thread, ["xia"])
        await until(lambda: set(view.members) == {*others[:-1], "xia", "yan", "zoe"}, 10, "the view follows")
        assert (await zoe.send(thread, "hello, all of you")).seq == 1
