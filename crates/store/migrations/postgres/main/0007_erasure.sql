-- Erasing: which key epochs are fenced, what is done, and who else has to delete.

-- Fenced: the epoch takes no more batches, and its key and batches go.
ALTER TABLE epoch ADD COLUMN fenced_by BYTEA;        -- the entry that ordered it; none: not fenced
ALTER TABLE epoch ADD COLUMN fenced_at BIGINT;
ALTER TABLE epoch ADD COLUMN erased_at BIGINT;      -- key and batches are gone; none: not yet
ALTER TABLE epoch ADD COLUMN erased_batches BIGINT; -- how many there were
CREATE INDEX epoch_grant ON epoch (controller, grant_id);
CREATE INDEX epoch_fenced ON epoch (controller, fenced_by, erased_at) WHERE fenced_by IS NOT NULL;
CREATE INDEX read_log_reader ON read_log (controller, recipient, purpose, last_position);

-- An order to erase: written with its entry, open until nothing of it is left.
CREATE TABLE erasure_order (
    controller   TEXT   NOT NULL,
    entry        BYTEA   NOT NULL, -- the ledger entry
    recorded_at  BIGINT NOT NULL,
    completed_at BIGINT,          -- none: under way, or something is held
    PRIMARY KEY (controller, entry)
);
INSERT INTO erasure_order (controller, entry, recorded_at)
SELECT controller, entry, recorded_at FROM entry WHERE kind = 'erasure-ordered';

-- What was certified of an order to erase. Rows are only added: one when all is
-- done that may be done, another when what was held has gone, too.
CREATE TABLE erasure_certificate (
    controller  TEXT   NOT NULL,
    entry       BYTEA   NOT NULL,
    number      BIGINT NOT NULL, -- from 1
    issued_at   BIGINT NOT NULL,
    certificate TEXT   NOT NULL, -- JSON, as it was signed
    signature   BYTEA   NOT NULL, -- Ed25519, by the key of the heads
    PRIMARY KEY (controller, entry, number)
);

-- What a recipient has to delete, because it read it before it was erased here.
CREATE TABLE deletion_order (
    controller   TEXT   NOT NULL,
    position     BIGINT NOT NULL,
    recipient    TEXT   NOT NULL,
    purpose      TEXT   NOT NULL,
    flow         TEXT   NOT NULL,
    epoch        BYTEA   NOT NULL, -- stands in the header of each envelope that is meant
    batches      BIGINT NOT NULL, -- how many of them the recipient read
    entry        BYTEA   NOT NULL, -- the entry that ordered the erasure
    ordered_at   BIGINT NOT NULL,
    confirm_by   BIGINT NOT NULL, -- later is late
    fetched_at   BIGINT,          -- first fetched by the recipient
    confirmed_at BIGINT,          -- the recipient says that it deleted
    PRIMARY KEY (controller, position),
    UNIQUE (controller, recipient, purpose, epoch)
);
CREATE INDEX deletion_order_recipient ON deletion_order (controller, recipient, position);
CREATE INDEX deletion_order_entry ON deletion_order (controller, entry);
