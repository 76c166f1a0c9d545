"""Documents of plans as they are stored: checked when they came in, in one form."""

from __future__ import annotations

from functools import lru_cache

from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plans import Revision


def planned_of(revision: Revision) -> Planned:
    """Return the document of a revision."""
    return _parsed(revision.document)


@lru_cache(maxsize=2)
def _parsed(document: str) -> Planned:
    """Parse a document. Whoever looks at a plan looks again: that of a thousand tasks takes 20 ms."""
    return Planned.model_validate_json(document)
