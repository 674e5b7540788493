-- What fleet operators have to delete, because it was published to them before it was erased here.
CREATE TABLE deletion_notice (
    controller   TEXT   NOT NULL REFERENCES controller (controller),
    id           BYTEA  NOT NULL, -- the answer names it
    grant_id     BYTEA  NOT NULL, -- under which it was published
    operator     TEXT   NOT NULL,
    purpose      TEXT   NOT NULL,
    vehicle      BYTEA  NOT NULL, -- what it is called towards the operator
    flow         TEXT   NOT NULL,
    from_time    BIGINT NOT NULL, -- the earliest time of a message that is meant
    until_time   BIGINT NOT NULL, -- the latest
    entry        BYTEA  NOT NULL, -- the entry that ordered the erasure
    ordered_at   BIGINT NOT NULL,
    confirm_by   BIGINT NOT NULL, -- later is late
    told_at      BIGINT,          -- when a broker last took it; none: none has
    confirmed_at BIGINT,          -- the operator says that it deleted
    PRIMARY KEY (controller, id),
    UNIQUE (controller, grant_id)
);
CREATE INDEX deletion_notice_open ON deletion_notice (controller, ordered_at, id) WHERE confirmed_at IS NULL;
CREATE INDEX deletion_notice_entry ON deletion_notice (controller, entry);
CREATE INDEX deletion_order_open ON deletion_order (controller, confirm_by) WHERE confirmed_at IS NULL;
