-- The second database of central in PostgreSQL: erasure keys. Its own URL, and
-- a cluster of its own whose write-ahead log and backups are kept for a short
-- time only. Deleting a key here is erasure: it takes the wraps of all batches
-- of its epoch, also in every backup of the main database. What a deleted row
-- held is overwritten after VACUUM, so that runs often here.

CREATE TABLE erasure_key (
    controller TEXT   NOT NULL, -- organisation number
    epoch      BYTEA  NOT NULL, -- 16 random bytes: one asset, one flow
    wrapped    BYTEA,           -- the key, sealed under central's master key; none: erased, and never made again
    made_at    BIGINT NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
    erased_at  BIGINT,          -- none: not erased
    PRIMARY KEY (controller, epoch)
) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
