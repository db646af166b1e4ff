"""The shingles of texts kept on disk, so that new texts are compared with old ones without reading those again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from synth.corpus.minhash import band_keys, bands_for, jaccard, pairs_between, sketch
from synth.corpus.near_duplicates import Texts, chunks, in_threads, worth_compiling
from synth.corpus.shingles import Hashed, hash_shingles, ragged
from synth.errors import UserError
from synth.files import Draft, is_draft, make_folder, remove_abandoned, replace_files, write_file
from synth.locks import locked
from synth.notes import Note, read_note
from synth.reach import regular

if TYPE_CHECKING:
    import numpy as np
    from datasketch import MinHashLSH

__all__ = ["ShingleIndex"]

_FORMAT = 4
_SEED = 1
_ABOUT = "index.json"
_ADDED_AT_ONCE = 100_000
_SKETCHED_AT_ONCE = 2048
_PATIENCE_SECONDS = 600.0
"""For which another process that adds to the same index is waited for."""


class _Made(Note):
    """How an index was made."""

    format: int
    shingle: Annotated[int, Field(ge=1, le=64)]


class ShingleIndex:
    """A folder of sets of shingles, 4 bytes a shingle, with the ids of their texts, in Parquet files that are only ever added.

    Sketches are made of them as they are needed, for any threshold, and similarities are exact.

    Args:
        folder: where it is, or is to be.
        shingle: words in a shingle; None: what it was made with.
        permutations: hash functions of the sketches that candidates are found by.

    Raises:
        ValueError: it was made otherwise, or is no index.
    """

    def __init__(self, folder: Path, *, shingle: int | None = None, permutations: int = 128) -> None:
        self.folder = folder
        self._shingle = shingle
        self._made = self._read()
        self._permutations = permutations
        for path in self._segments():
            self._check(path)

    def _read(self) -> _Made:
        """What the index says of itself, or is to say."""
        folder, shingle, about = self.folder, self._shingle, self.folder / _ABOUT
        if not os.path.lexists(about):
            if folder.is_dir() and not all(map(is_draft, folder.iterdir())):
                raise ValueError(f"{folder} is no index, and not empty")
            return _Made(format=_FORMAT, shingle=shingle or 5)
        try:
            made = read_note(about, _Made, _FORMAT, fix="delete the index, and make it again with synth index")
        except UserError as error:
            raise ValueError(str(error)) from error
        if made.format != _FORMAT:
            raise ValueError(
                f"{folder} is an index of another version ({made.format}, not {_FORMAT}), in which texts were cut"
                " into words in another way: delete it, and make it again with synth index"
            )
        if shingle is not None and made.shingle != shingle:
            raise ValueError(f"{folder} was made with shingles of {made.shingle} words, not {shingle}")
        return made

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]" * 6 + ".parquet"))

    def _check(self, path: Path) -> None:
        """Raise ValueError where a segment is not one: a link out of the folder, no Parquet, or of other columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(regular(self.folder, path.name))
        except (UserError, OSError, pa.ArrowException) as error:
            why = error.what if isinstance(error, UserError) else "it is not Parquet, or cut short"
            raise ValueError(
                f"{path} is no part of an index: {why}; delete the index, and make it again with synth index"
            ) from error
        wanted = pa.schema([("id", pa.string()), ("shingles", pa.large_list(pa.uint32()))])
        if [(f.name, f.type) for f in schema] != [(f.name, f.type) for f in wanted]:
            raise ValueError(
                f"{path} is no part of an index: it has other columns; delete the index, and make it again with synth index"
            )

    def __len__(self) -> int:
        import pyarrow.parquet as pq

        return sum(pq.ParquetFile(p).metadata.num_rows for p in self._segments())

    def ids(self) -> list[str]:
        """The ids of its texts, in the order in which they were added."""
        import pyarrow.parquet as pq

        return [i for p in self._segments() for i in pq.read_table(p, columns=["id"])["id"].to_pylist()]

    def add(self, ids: Sequence[str], texts: Texts) -> int:
        """Add the texts whose ids it does not have yet; returns how many.

        One process at a time adds; others wait. A killed process leaves whole files: the same call adds what is missing.

        Raises:
            UserError: another process adds for minutes.
        """
        make_folder(self.folder)
        with locked(self.folder, _PATIENCE_SECONDS), ExitStack() as stack:
            self._made = self._read()  # another process may have made it meanwhile
            remove_abandoned(self.folder)
            known = set(self.ids())
            number = int(self._segments()[-1].stem) if self._segments() else 0
            drafts: list[Draft] = []
            waiting: list[tuple[str, np.ndarray[Any, Any]]] = []
            added = 0
            for one, shingles in zip(ids, self._each(texts), strict=True):
                if one not in known:
                    waiting.append((one, shingles))
                    added += 1
                if len(waiting) == _ADDED_AT_ONCE:
                    drafts.append(self._draft(number + len(drafts) + 1, waiting, stack))
                    waiting = []
            if waiting:
                drafts.append(self._draft(number + len(drafts) + 1, waiting, stack))
            if drafts:
                write_file(self.folder / _ABOUT, json.dumps(self._made.model_dump()))
            replace_files(drafts, ())
        return added

    def _draft(self, number: int, rows: Sequence[tuple[str, np.ndarray[Any, Any]]], stack: ExitStack) -> Draft:
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        starts = np.r_[0, np.cumsum([len(shingles) for _, shingles in rows])]
        shingles = pa.LargeListArray.from_arrays(starts, pa.array(np.concatenate([s for _, s in rows])))
        draft = Draft(self.folder / f"{number:06d}.parquet")
        stack.callback(draft.discard)
        table = pa.table({"id": [one for one, _ in rows], "shingles": shingles})
        pq.write_table(table, draft.open(), compression="none")
        draft.sync()
        return draft

    def _each(self, texts: Texts) -> Iterator[np.ndarray[Any, Any]]:
        """The shingles of each text."""
        import numpy as np

        for shingles, starts in self._in_chunks(texts):
            yield from np.split(shingles, starts[1:-1])

    def _in_chunks(self, texts: Texts) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """The different shingles of texts, by the upper halves of their hashes, some texts at a time; and where each begins."""
        import numpy as np

        size, compiled = self._made.shingle, worth_compiling(len(texts))

        def look(some: Sequence[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
            hashed = hash_shingles(some, size, compiled=compiled)
            lengths = np.diff(hashed.starts)
            whose = np.repeat(np.arange(len(some), dtype=np.uint64), lengths) << np.uint64(32)
            line = whose | (hashed.hashes >> np.uint64(32))
            line.sort()
            different = line[np.r_[True, line[1:] != line[:-1]][: len(line)]]
            ends = np.searchsorted(different, np.arange(1, len(some) + 1, dtype=np.uint64) << np.uint64(32))
            return different.astype(np.uint32), np.r_[0, ends]

        yield from in_threads(look, chunks(texts))

    def alike(self, texts: Texts, threshold: float) -> Iterator[tuple[int, str, float]]:
        """Of each text the one in the index it is most alike, where the similarity reaches the threshold.

        Gives (text, id, Jaccard similarity), exact but for shingles that share 32 bits of their hashes. Of a pair at the
        threshold 0.98 and more are found, above it nearly all, as in `near_duplicate_pairs`.
        """
        import numpy as np
        import pyarrow.parquet as pq

        bands, rows = bands_for(threshold, self._permutations)
        ours = _joined(list(self._in_chunks(texts)))
        mine = self._bands(ours, bands, rows)
        filled = np.diff(ours.starts) > 0
        best: dict[int, tuple[float, str]] = {}
        for path in self._segments():
            table = pq.read_table(path)
            lists = table["shingles"].combine_chunks()
            values = lists.values.to_numpy()
            theirs = Hashed(values.astype(np.uint64) << np.uint64(32), lists.offsets.to_numpy().astype(np.int64))
            pairs = pairs_between(mine, self._bands(theirs, bands, rows))
            pairs = pairs[filled[pairs[:, 0]]]
            if not len(pairs):
                continue
            both = _side_by_side(ours, theirs, pairs)
            similarity = jaccard(np.arange(2 * len(pairs)).reshape(2, -1).T, both)
            for (i, j), s in zip(pairs.tolist(), similarity.tolist(), strict=True):
                if s >= threshold:
                    one = table["id"][j].as_py()
                    if i not in best or (-s, one) < (-best[i][0], best[i][1]):
                        best[i] = (s, one)
        for i in sorted(best):
            yield i, best[i][1], best[i][0]

    def _bands(self, hashed: Hashed, bands: int, rows: int) -> np.ndarray[Any, Any]:
        import numpy as np

        compiled = worth_compiling(len(hashed.starts))

        def look(begin: int) -> np.ndarray[Any, Any]:
            starts = hashed.starts[begin : begin + _SKETCHED_AT_ONCE + 1]
            some = Hashed(hashed.hashes[starts[0] : starts[-1]], starts - starts[0])
            return band_keys(sketch(some, bands * rows, _SEED, compiled=compiled), bands, rows)

        parts = list(in_threads(look, range(0, len(hashed.starts) - 1, _SKETCHED_AT_ONCE)))
        return np.concatenate([np.zeros((bands, 0), dtype=np.uint64), *parts], axis=1)

    def to_datasketch(self, threshold: float) -> MinHashLSH:
        """The same texts in an index of the library datasketch, for its queries and its ways of storing.

        Its keys are our ids. A new text is asked for with a `MinHash` whose `hashvalues` are a sketch of ours.
        """
        import numpy as np
        import pyarrow.parquet as pq
        from datasketch import MinHash, MinHashLSH

        index = MinHashLSH(num_perm=self._permutations, params=bands_for(threshold, self._permutations))
        for path in self._segments():
            for row in pq.read_table(path).to_pylist():
                shingles = np.array(row["shingles"], dtype=np.uint64) << np.uint64(32)
                values = sketch(Hashed(shingles, np.array([0, len(shingles)])), self._permutations, _SEED)[:, 0]
                made = MinHash(self._permutations, seed=_SEED, hashvalues=values.astype(np.uint64), scheme="affine32")
                index.insert(row["id"], made)
        return index


def _joined(parts: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> Hashed:
    import numpy as np

    shingles = np.concatenate([np.zeros(0, dtype=np.uint32), *(s for s, _ in parts)])
    lengths = np.concatenate([np.zeros(0, dtype=np.int64), *(np.diff(starts) for _, starts in parts)])
    return Hashed(shingles.astype(np.uint64) << np.uint64(32), np.r_[0, np.cumsum(lengths)])


def _side_by_side(ours: Hashed, theirs: Hashed, pairs: np.ndarray[Any, Any]) -> Hashed:
    """Our texts of the pairs, and then theirs."""
    import numpy as np

    hashes, lengths = [], []
    for side, hashed in enumerate((ours, theirs)):
        which = pairs[:, side]
        where, long = ragged(hashed.starts[which], hashed.starts[which + 1])
        hashes.append(hashed.hashes[where])
        lengths.append(long)
    return Hashed(np.concatenate(hashes), np.r_[0, np.cumsum(np.concatenate(lengths))])
