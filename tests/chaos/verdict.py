"""How a run on a rig ends: every value answered, every checker asked, and a row of figures."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tests.chaos.crowd import Crowd
from tests.chaos.figures import Figures
from tests.chaos.sizes import Size
from tests.kit.checkers import Violation, violations
from tests.kit.history import History
from tests.kit.waiting import until

ANNOUNCED_WITHIN_S: Final = 15.0
SHOWN: Final = 12
CHECKED: Final = "C1 C2 C3 C4"


async def verdict(
    crowd: Crowd,
    size: Size,
    scenario: str,
    fault: str,
    seed: int,
    *,
    notes: str = "",
    announced: bool = True,
    found: list[Violation] | None = None,
) -> Figures:
    """Raises AssertionError with the seed and what was wrong. `announced`: every stored message was told live."""
    await crowd.stop()
    history = await crowd.history()
    wrong = [*(found or []), *violations(history)]
    wrong += [Violation("G14", "never answered", value) for value in sorted(crowd.unanswered)]
    if announced:
        wrong += await _untold(crowd, history)
    kinds = Counter(one.kind for one in wrong)
    figures = Figures(
        scenario=scenario,
        fault=fault,
        sent=len(crowd.values),
        acked=len(history.acked),
        lost=kinds["lost"],
        duplicated=kinds["stored twice"],
        worst_stall_s=round(crowd.worst_stall_s, 2),
        invariants=", ".join(f"{kind}: {count}" for kind, count in kinds.items()) or CHECKED,
        notes=notes,
        seed=seed,
        size=size.name,
    )
    print(figures, flush=True)
    shown = "\n".join(f"  {one.checker} {one.kind}: {one.about}" for one in wrong[:SHOWN])
    assert not wrong, f"{scenario} with CHATTERBUS_CHAOS_SEED={seed}: {len(wrong)} violations\n{shown}"
    return figures


async def _untold(crowd: Crowd, history: History) -> list[Violation]:
    """Stored messages that no event spoke of."""

    def missing() -> set[tuple[str, int]]:
        told = {(event["threadId"], event["rev"]) for event in crowd.rig.sender.events}
        return {(message.thread, message.rev) for message in history.stored} - told

    try:
        await until(lambda: not missing(), ANNOUNCED_WITHIN_S, "everything is announced")
    except AssertionError:
        return [Violation("G6", "never announced", f"{thread} at {rev}") for thread, rev in sorted(missing())]
    return []
