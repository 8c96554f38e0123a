"""Which track of the last catalog a scanned file is.

Conventions
-----------
- A source that has track IDs of its own decides: the same ID is the same track.
- Elsewhere a track_id is the hash of the path at which the file was first seen. The file at a track's path is that
  track, whatever its content; so is a file at the same path below another root. A file that is gone from its path and
  whose audio appears at exactly one new path was moved: the track keeps its ID.
- If the path of a moved track is used again, the new file there gets another ID.

Why a move is known by the audio and not by the whole file: programs that edit tags often rename the file too.
"""

import hashlib

import pyarrow as pa

from audioae.catalog.database import Database

_SAME_AUDIO = "(s.content_hash = k.content_hash OR s.audio_hash = k.audio_hash)"


def identify_tracks(db: Database, own_ids: bool) -> None:
    """Make the table `identified`: of each scanned file its track_id, and what is known of that track.

    Parameters
    ----------
    db : Database
        With the tables `scanned` (pos, track_id, uri, content_hash, audio_hash) and `known` (the same with row instead
        of pos, and shard, added_at, is_kept). The new table has pos, row (null: a new track), track_id, shard,
        added_at, was_kept, content_hash, and same_audio (as the known track).
    own_ids : bool
        Whether the source gave the track IDs.
    """
    db.run("CREATE OR REPLACE TABLE matched (pos BIGINT, row BIGINT)")
    db.run("CREATE OR REPLACE VIEW all_files AS SELECT pos, track_id, uri, content_hash, audio_hash FROM scanned")
    db.run("CREATE OR REPLACE VIEW all_tracks AS SELECT row, track_id, uri, content_hash, audio_hash FROM known")
    if own_ids:
        _match(db, "track_id", files="all_files", tracks="all_tracks")
    else:
        _match(db, "uri", files="all_files", tracks="all_tracks")
        _match(db, "track_id", f"WHERE {_SAME_AUDIO}")
        _match(db, "content_hash", once=True)
        _match(db, "audio_hash", once=True)
        _match(db, "track_id")
    db.run(
        f"""
        CREATE OR REPLACE TABLE identified AS
        SELECT s.pos, k.row, coalesce(k.track_id, s.track_id) AS track_id, k.shard, k.added_at, k.is_kept AS was_kept,
            s.content_hash, coalesce({_SAME_AUDIO}, false) AS same_audio
        FROM scanned s LEFT JOIN (SELECT * FROM matched JOIN known USING (row)) k USING (pos)
        """
    )
    _rename_taken(db)


def _match(
    db: Database,
    key: str,
    where: str = "",
    *,
    once: bool = False,
    files: str = "unmatched",
    tracks: str = "unused",
) -> None:
    """Match those of `files` and `tracks` that have the same key; with `once`, where each side has it only once.

    Those that are left are `unmatched` and `unused`.
    """
    side = "(SELECT {key}, min({row}) AS {row} FROM {table} GROUP BY {key} HAVING count(*) = 1)" if once else "{table}"
    left, right = (side.format(key=key, row=row, table=table) for row, table in (("pos", files), ("row", tracks)))
    db.run(
        f"""
        CREATE OR REPLACE TABLE found AS SELECT min(s.pos) AS pos, min(k.row) AS row
        FROM {left} s JOIN {right} k USING ({key}) {where} GROUP BY {key};
        INSERT INTO matched SELECT * FROM found;
        CREATE OR REPLACE TABLE unmatched AS SELECT * FROM {files} ANTI JOIN found USING (pos);
        CREATE OR REPLACE TABLE unused AS SELECT * FROM {tracks} ANTI JOIN found USING (row);
        """
    )


def _rename_taken(db: Database) -> None:
    """Give new tracks whose track_id a known one has, since its file was moved, another."""
    used = "(SELECT track_id FROM identified WHERE row IS NOT NULL)"
    taken = f"SELECT pos, track_id FROM {{}} SEMI JOIN {used} USING (track_id) ORDER BY pos"
    again = db.rows(taken.format("(SELECT pos, track_id FROM identified WHERE row IS NULL)"))
    while again:
        ids = [hashlib.blake2b(f"{track_id} again".encode(), digest_size=8).hexdigest() for _, track_id in again]
        renamed = pa.table({"pos": pa.array([pos for pos, _ in again], pa.int64()), "track_id": ids})
        db.create("renamed", renamed.schema)
        db.insert("renamed", renamed)
        db.run("UPDATE identified SET track_id = renamed.track_id FROM renamed WHERE identified.pos = renamed.pos")
        again = db.rows(taken.format("renamed"))
