-- The second database of central: erasure keys. Its own URL, short backups,
-- secure delete. Deleting a key here is erasure: it takes the wraps of all
-- batches of its epoch, also in every backup of the main database.

CREATE TABLE erasure_key (
    controller TEXT   NOT NULL, -- organisation number
    epoch      BLOB   NOT NULL, -- 16 random bytes: one asset, one flow
    wrapped    BLOB,            -- the key, sealed under central's master key; none: erased, and never made again
    made_at    BIGINT NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
    erased_at  BIGINT,          -- none: not erased
    PRIMARY KEY (controller, epoch)
);
