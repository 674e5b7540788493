-- The spool of one gateway. Only sealed bytes, counters, keyed hashes, audit
-- leaves and sampler state stand here: no value and no identifier in the clear.
-- Times are UTC microseconds since 1970-01-01. Reasons are numbers of the
-- closed list (crates/types/src/reason.rs).

-- Envelopes on their way to central: what is known of each ...
CREATE TABLE batch (
    row        INTEGER PRIMARY KEY,                         -- order of queueing
    id         BLOB NOT NULL UNIQUE CHECK (length(id) = 16),-- batch id of the envelope
    controller TEXT NOT NULL,                               -- organisation number of the controller
    grant_id   BLOB NOT NULL CHECK (length(grant_id) = 16), -- the opening of the flow it rests on
    latest_due INTEGER NOT NULL,                            -- time by which it must be gone
    queued_at  INTEGER NOT NULL,                            -- time of queueing
    parked     INTEGER,                                     -- reason it waits for; NULL: none
    problem    TEXT,                                        -- why it does not read any more (quarantine); NULL: it does
    digest     BLOB NOT NULL CHECK (length(digest) = 32)    -- SHA-256 of sealed, checked when read
) STRICT;

CREATE INDEX batch_ready ON batch (row) WHERE parked IS NULL AND problem IS NULL;
CREATE INDEX batch_by_grant ON batch (grant_id, parked, problem);
CREATE INDEX batch_by_due ON batch (latest_due);

-- ... and the envelope itself, apart, so that parking does not write it again.
CREATE TABLE envelope (
    row    INTEGER PRIMARY KEY, -- row of its batch
    sealed BLOB NOT NULL        -- envelope v1
) STRICT;

-- Numbering of fleet messages, one row per operator, purpose and alias.
CREATE TABLE stream (
    id        BLOB PRIMARY KEY CHECK (length(id) = 32), -- SHA-256 of operator, purpose and alias
    next_seq  INTEGER NOT NULL,                         -- number of the next message, from 1
    delivered INTEGER NOT NULL,                         -- highest number that the broker acknowledged; 0: none
    last_at   INTEGER NOT NULL                          -- time of the last message
) STRICT, WITHOUT ROWID;

-- Messages on their way to fleet topics.
CREATE TABLE topic (
    row        INTEGER PRIMARY KEY,                          -- order of sending
    id         BLOB NOT NULL UNIQUE CHECK (length(id) = 16), -- message id, the same on every delivery
    controller TEXT NOT NULL,                                -- organisation number of the controller
    grant_id   BLOB NOT NULL CHECK (length(grant_id) = 16),  -- the opening of the flow it rests on
    operator   TEXT NOT NULL,                                -- slug of the fleet operator
    stream     BLOB NOT NULL CHECK (length(stream) = 32),    -- numbering it belongs to
    seq        INTEGER NOT NULL,                             -- its number there; a new one when it is resumed
    expiry     INTEGER NOT NULL,                             -- time after which it must not be sent
    queued_at  INTEGER NOT NULL,                             -- time of queueing
    parked     INTEGER,                                      -- reason it waits for; NULL: none
    problem    TEXT,                                         -- why it does not read any more (quarantine); NULL: it does
    digest     BLOB NOT NULL CHECK (length(digest) = 32),    -- SHA-256 of sealed, checked when read
    sealed     BLOB NOT NULL                                 -- message under the storage key
) STRICT;

CREATE INDEX topic_ready ON topic (operator, row) WHERE parked IS NULL AND problem IS NULL;
CREATE INDEX topic_by_stream ON topic (stream, seq) WHERE parked IS NULL AND problem IS NULL;
CREATE INDEX topic_by_grant ON topic (grant_id, parked, problem);
CREATE INDEX topic_by_expiry ON topic (expiry);

-- What was destroyed before it was delivered, and why. The oldest give way
-- when there are more than the spool keeps.
CREATE TABLE note (
    row      INTEGER PRIMARY KEY,                          -- order of destruction
    kind     INTEGER NOT NULL CHECK (kind IN (0, 1)),      -- 0 batch, 1 topic message
    id       BLOB NOT NULL CHECK (length(id) = 16),        -- batch id or message id
    grant_id BLOB NOT NULL CHECK (length(grant_id) = 16),  -- the opening of the flow it rested on
    reason   INTEGER NOT NULL,                             -- why
    at       INTEGER NOT NULL                              -- when
) STRICT;

-- Audit leaves, in the order of their events.
CREATE TABLE leaf (
    row  INTEGER PRIMARY KEY, -- order of the events
    leaf BLOB NOT NULL        -- salted commitment, as vernport-audit encodes it
) STRICT;

-- How far each source was read and queued.
CREATE TABLE cursor (
    source   TEXT PRIMARY KEY,  -- name of the source, from the configuration
    position INTEGER NOT NULL   -- number of frames done with, from the start of the source
) STRICT, WITHOUT ROWID;

-- Tool messages that were accepted: each is taken once.
CREATE TABLE tool_message (
    tool TEXT NOT NULL,                              -- slug of the tool
    id   BLOB NOT NULL CHECK (length(id) = 16),      -- keyed hash of its message id
    at   INTEGER NOT NULL,                           -- time of acceptance
    PRIMARY KEY (tool, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tool_message_by_age ON tool_message (at);

-- Samples that were taken: none more under the same key for a while.
CREATE TABLE sample (
    key   BLOB PRIMARY KEY CHECK (length(key) = 32), -- hash of what it counts under (crates/policy/src/sampler.rs)
    until INTEGER NOT NULL                           -- time from which the next one may be taken
) STRICT, WITHOUT ROWID;

-- How often something was withheld since the spool was made.
CREATE TABLE withheld (
    controller TEXT NOT NULL,    -- organisation number of the controller
    flow       TEXT NOT NULL,    -- slug of the flow; empty: no flow was concerned
    reason     INTEGER NOT NULL, -- why
    count      INTEGER NOT NULL, -- how many readings
    PRIMARY KEY (controller, flow, reason)
) STRICT, WITHOUT ROWID;
