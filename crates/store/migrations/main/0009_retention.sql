-- Retention: what is looked at when, by whom, and what went.

-- When something of an epoch may be due; 0: it was never looked at.
ALTER TABLE epoch ADD COLUMN look_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX epoch_look ON epoch (controller, look_at) WHERE erased_at IS NULL AND fenced_by IS NULL;

-- Which process does what only one shall do at a time.
CREATE TABLE duty (
    controller TEXT   NOT NULL,
    duty       TEXT   NOT NULL,
    holder     BLOB   NOT NULL, -- drawn by each process at its start
    until      BIGINT NOT NULL, -- then anybody may take it over
    PRIMARY KEY (controller, duty)
);

-- The last time that was believed: nothing is deleted by a clock that went far ahead of it.
CREATE TABLE believed_clock (
    controller TEXT   NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL
);

-- How many batches went by which rule.
CREATE TABLE swept (
    controller     TEXT   NOT NULL,
    retention_rule TEXT   NOT NULL,
    batches        BIGINT NOT NULL,
    PRIMARY KEY (controller, retention_rule)
);
