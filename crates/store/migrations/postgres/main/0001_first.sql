-- The main database of central in PostgreSQL, first form: the tables of
-- migrations/main, with batches spread over partitions.
--
-- Every table is keyed by controller first: no query crosses controllers, and
-- rows can be spread over machines by that column. Ids are random bytes
-- (16, hashes 32). Times are microseconds since 1970-01-01T00:00:00Z. Slugs
-- and controller ids are text. Nothing here can be read by central that names
-- a vehicle or holds a value: see the comment at each sealed column.

-- A firm that decides.
CREATE TABLE controller (
    controller    TEXT   NOT NULL PRIMARY KEY, -- organisation number, NO-… or DK-…
    next_position BIGINT NOT NULL              -- next free number in entry.position, batch.position and read_log.position
);

-- A place of a controller.
CREATE TABLE site (
    controller TEXT NOT NULL REFERENCES controller (controller),
    site       TEXT NOT NULL, -- slug
    PRIMARY KEY (controller, site)
);

-- A bay or a vehicle where readings are made.
CREATE TABLE station (
    controller TEXT NOT NULL,
    site       TEXT NOT NULL,
    station    TEXT NOT NULL, -- slug
    PRIMARY KEY (controller, site, station),
    FOREIGN KEY (controller, site) REFERENCES site (controller, site)
);

-- A box at a station.
CREATE TABLE gateway (
    controller    TEXT   NOT NULL,
    gateway       TEXT   NOT NULL, -- slug; common name of its certificate
    site          TEXT   NOT NULL,
    station       TEXT   NOT NULL,
    device_key    BYTEA  NOT NULL, -- Ed25519 public key, 32 bytes: signs its envelopes
    head_sequence BIGINT NOT NULL, -- every head that was sent has a lower sequence; taken in blocks
    PRIMARY KEY (controller, gateway),
    FOREIGN KEY (controller, site, station) REFERENCES station (controller, site, station)
);

-- What is read: a vehicle, body or trailer. Random, says nothing about it.
CREATE TABLE asset (
    controller TEXT   NOT NULL REFERENCES controller (controller),
    asset      BYTEA  NOT NULL, -- 16 bytes
    first_at   BIGINT NOT NULL, -- when an entry first named it
    PRIMARY KEY (controller, asset)
);

-- What the world calls an asset, for a time. The ledger decides who bears an
-- identifier now; here it is kept for the controller, who alone can read it.
CREATE TABLE identifier (
    controller  TEXT   NOT NULL,
    blind_index BYTEA  NOT NULL, -- HMAC-SHA-256 of the identifier under the controller's identity key
    asset       BYTEA  NOT NULL,
    valid_from  BIGINT NOT NULL,
    kind        TEXT   NOT NULL, -- vin, plate or serial
    valid_until BIGINT,          -- none: still valid
    sealed      BYTEA,           -- the identifier, sealed to the controller's recovery key; none: it did not come along
    PRIMARY KEY (controller, blind_index, asset, valid_from),
    FOREIGN KEY (controller, asset) REFERENCES asset (controller, asset)
);

-- The ledger: what people and firms said. Rows are only added.
CREATE TABLE entry (
    controller  TEXT   NOT NULL REFERENCES controller (controller),
    position    BIGINT NOT NULL, -- order of recording
    entry       BYTEA  NOT NULL, -- SHA-256 of the entry's canonical JSON
    kind        TEXT   NOT NULL, -- kind of event, kebab-case
    source      TEXT   NOT NULL, -- slug of the system that told it
    reference   BYTEA  NOT NULL, -- keyed hash of the source's own reference, which may name a vehicle
    recorded_at BIGINT NOT NULL,
    sealed      BYTEA  NOT NULL, -- the entry's JSON, sealed under central's master key
    voided_by   BYTEA,           -- the later entry that says that this one was a mistake
    PRIMARY KEY (controller, position),
    UNIQUE (controller, entry),
    UNIQUE (controller, source, reference)
);

-- One opening of one flow for one asset.
CREATE TABLE flow_grant (
    controller TEXT   NOT NULL,
    grant_id   BYTEA  NOT NULL, -- 16 random bytes
    asset      BYTEA  NOT NULL,
    flow       TEXT   NOT NULL, -- slug of the flow in the bundle
    opening    TEXT   NOT NULL, -- JSON: all that it rests on, as policy describes it; persons by pseudonym
    opened_at  BIGINT NOT NULL,
    closed_at  BIGINT,          -- none: open
    reason     TEXT,            -- code of the reason that closed it; another one may follow, but for one that destroys
    PRIMARY KEY (controller, grant_id)
);

-- Whom a grant is about, so that erasure finds exactly the right epochs.
CREATE TABLE flow_grant_subject (
    controller TEXT  NOT NULL,
    subject    BYTEA NOT NULL, -- pseudonymous id of the controller, 16 bytes
    grant_id   BYTEA NOT NULL,
    PRIMARY KEY (controller, subject, grant_id),
    FOREIGN KEY (controller, grant_id) REFERENCES flow_grant (controller, grant_id)
);

-- Which gateways were told of a grant, and so have to be told that it is over.
CREATE TABLE flow_grant_gateway (
    controller TEXT  NOT NULL,
    gateway    TEXT  NOT NULL,
    grant_id   BYTEA NOT NULL,
    PRIMARY KEY (controller, gateway, grant_id),
    FOREIGN KEY (controller, gateway) REFERENCES gateway (controller, gateway),
    FOREIGN KEY (controller, grant_id) REFERENCES flow_grant (controller, grant_id)
);

-- What an asset is called towards one recipient, for one purpose and one year.
CREATE TABLE alias (
    controller TEXT   NOT NULL,
    asset      BYTEA  NOT NULL,
    recipient  TEXT   NOT NULL,
    purpose    TEXT   NOT NULL,
    year       BIGINT NOT NULL, -- calendar year at the controller
    alias      BYTEA  NOT NULL, -- 16 random bytes
    PRIMARY KEY (controller, asset, recipient, purpose, year),
    UNIQUE (controller, alias)
);

-- A key epoch: one data key, drawn by the gateway, of one grant. Its erasure
-- key lies in the other database.
CREATE TABLE epoch (
    controller TEXT   NOT NULL,
    epoch      BYTEA  NOT NULL, -- 16 random bytes
    grant_id   BYTEA  NOT NULL,
    gateway    TEXT   NOT NULL,
    first_at   BIGINT NOT NULL, -- first commit of a batch of it
    PRIMARY KEY (controller, epoch),
    FOREIGN KEY (controller, grant_id) REFERENCES flow_grant (controller, grant_id)
);

-- A sealed batch. Only its recipients and the controller can open it. Central
-- makes the partition of a month when the first batch of it comes.
CREATE TABLE batch (
    controller     TEXT   NOT NULL,
    month          BIGINT NOT NULL, -- year * 100 + month of latest_due: the partition
    batch          BYTEA  NOT NULL, -- 16 random bytes
    position       BIGINT NOT NULL, -- order of commits
    epoch          BYTEA  NOT NULL,
    flow           TEXT   NOT NULL,
    gateway        TEXT   NOT NULL,
    sequence       BIGINT NOT NULL, -- place in its epoch
    latest_due     BIGINT NOT NULL, -- it is deleted by then, whatever else holds
    retention_rule TEXT   NOT NULL,
    committed_at   BIGINT NOT NULL,
    envelope       BYTEA  NOT NULL, -- the envelope without its wraps
    wraps          BYTEA  NOT NULL, -- its wraps, sealed under the epoch's erasure key
    PRIMARY KEY (controller, month, batch)
) PARTITION BY LIST (month);
-- Sealed bytes do not get smaller.
ALTER TABLE batch ALTER COLUMN envelope SET STORAGE EXTERNAL, ALTER COLUMN wraps SET STORAGE EXTERNAL;
CREATE INDEX batch_read ON batch (controller, flow, position);
CREATE INDEX batch_epoch ON batch (controller, epoch);

-- Which batches were ever committed. Written in the transaction of the commit:
-- this gives "once". Kept when the batch is deleted.
CREATE TABLE batch_seen (
    controller    TEXT  NOT NULL,
    batch         BYTEA NOT NULL,
    envelope_hash BYTEA NOT NULL, -- SHA-256 of the whole envelope, header and body and wraps
    PRIMARY KEY (controller, batch)
);

-- A recipient's key for one purpose.
CREATE TABLE recipient_key (
    controller  TEXT   NOT NULL,
    key_id      BYTEA  NOT NULL, -- first 16 bytes of the key's SHA-256
    recipient   TEXT   NOT NULL,
    purpose     TEXT   NOT NULL,
    active_from BIGINT NOT NULL,
    revoked_at  BIGINT,          -- none: active
    PRIMARY KEY (controller, key_id)
);

-- Who read what, and for which task. Committed before an envelope leaves.
CREATE TABLE read_log (
    controller     TEXT   NOT NULL,
    position       BIGINT NOT NULL,
    recipient      TEXT   NOT NULL, -- common name of the reader's certificate
    task           TEXT   NOT NULL,
    key_id         BYTEA  NOT NULL,
    purpose        TEXT   NOT NULL,
    read_at        BIGINT NOT NULL,
    after_position BIGINT NOT NULL, -- batches behind this one …
    last_position  BIGINT NOT NULL, -- … up to this one
    batches        BIGINT NOT NULL, -- how many were released
    PRIMARY KEY (controller, position)
);
