-- What was said at the station and central has not confirmed yet: signed links,
-- JSON. They name assets and orders by random ids, vehicles by keyed hashes.
CREATE TABLE link (
    sequence INTEGER PRIMARY KEY, -- place in its chain
    link     BLOB NOT NULL        -- the link with its signature, and what goes to central beside it
) STRICT;

-- Single values that have to outlive the process.
CREATE TABLE kept (
    name  TEXT PRIMARY KEY, -- station-tip: end of the chain; snapshot: what central said last, under the storage key
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;
