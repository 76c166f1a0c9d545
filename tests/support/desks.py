"""A desk whose policy is one effect, for tests of what comes before and after policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from supervisor.engine.desk import Desk
from supervisor.model.acts import Act, Effect, Judgement


@dataclass(frozen=True)
class OneEffect:
    """Judges everything alike."""

    effect: Effect = "ask"

    def judge(self, act: Act, root: Path) -> Judgement:
        return Judgement(self.effect, "the test's rule", "The test says so.")


def a_desk(effect: Effect = "ask") -> Desk:
    return Desk(OneEffect(effect), Settings)
