-- The evidence log (crates/audit, decision note 0016). Leaf n, from 0, stands in
-- `leaf` at row n + 1 until its 256 are complete; then their hashes become a tile,
-- they themselves a bundle, and the rows go. Only hashes, salts and counts.

-- Tiles of hashes (C2SP tlog-tiles). Level 0 full ones only; above it the last grows.
CREATE TABLE tile (
    level  INTEGER NOT NULL, -- 0 over leaves, each level above over full tiles below
    number INTEGER NOT NULL, -- place in its level, from 0
    hashes BLOB NOT NULL CHECK (length(hashes) % 32 = 0), -- 1 to 256 hashes
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

-- The leaves under a full tile of level 0.
CREATE TABLE bundle (
    number  INTEGER PRIMARY KEY, -- number of the tile
    entries BLOB NOT NULL        -- each leaf after its length in 16 bits
) STRICT;

-- What was withheld since the last leaf about it.
CREATE TABLE uncounted (
    controller TEXT NOT NULL,    -- organisation number of the controller
    flow       TEXT NOT NULL,    -- slug of the flow; empty: no flow was concerned
    reason     INTEGER NOT NULL, -- why
    count      INTEGER NOT NULL, -- how many readings
    since      INTEGER NOT NULL, -- time of the first unit with one
    PRIMARY KEY (controller, flow, reason)
) STRICT, WITHOUT ROWID;

-- The counts that a leaf commits to, beside the log.
CREATE TABLE counted (
    leaf   INTEGER PRIMARY KEY, -- number of the leaf, from 0
    counts BLOB NOT NULL        -- as vernport-audit encodes them
) STRICT;

-- Checkpoints: each stands here before it leaves the box.
CREATE TABLE checkpoint (
    size     INTEGER PRIMARY KEY, -- how many leaves it is for
    note     TEXT NOT NULL,       -- signed note, with central's cosignature below where it came
    cosigned INTEGER              -- time of that cosignature; NULL: none yet
) STRICT;

-- The evidence of what waits. NULL: it was queued before leaves had numbers.
ALTER TABLE batch ADD COLUMN leaf INTEGER; -- number of its leaf, from 0
ALTER TABLE topic ADD COLUMN leaf INTEGER; -- number of its leaf, from 0
