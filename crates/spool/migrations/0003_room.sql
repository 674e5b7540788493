-- What gives way when there is no room, and how much did.

-- NULL: its source could wait, so it stays; else lower numbers give way first.
ALTER TABLE batch ADD COLUMN rank INTEGER;
ALTER TABLE topic ADD COLUMN rank INTEGER;

CREATE INDEX batch_by_rank ON batch (rank, row) WHERE rank IS NOT NULL AND parked IS NULL AND problem IS NULL;
CREATE INDEX topic_by_rank ON topic (rank, row) WHERE rank IS NOT NULL AND parked IS NULL AND problem IS NULL;
CREATE INDEX batch_by_age ON batch (queued_at) WHERE parked IS NULL AND problem IS NULL;
CREATE INDEX topic_by_age ON topic (queued_at) WHERE parked IS NULL AND problem IS NULL;

-- How many gave way since the spool was made.
CREATE TABLE dropped (
    kind  INTEGER PRIMARY KEY CHECK (kind IN (0, 1)), -- 0 batch, 1 topic message
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
