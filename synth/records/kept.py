"""Which records are kept: the definition that steps, targets and counts of the engine share.

`excluded` in `synth/store/views.sql` says the same in SQL, for the views, the store and the browser; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

__all__ = ["is_kept"]


def is_kept(ids: Iterable[str], rejected: AbstractSet[str], parents: Mapping[str, str | None]) -> bool:
    """Whether a record is kept: neither it, nor its problem, nor a problem that this was derived from is rejected.

    Args:
        ids: ids of the record, of its problem and of its unit.
        rejected: ids of all that steps rejected.
        parents: the problem that each problem was derived from; None for root problems.
    """
    seen: set[str] = set()
    for id_ in ids:
        above: str | None = id_
        while above is not None and above not in seen:  # a journal of somebody else may have a circle
            if above in rejected:
                return False
            seen.add(above)
            above = parents.get(above)
    return True
