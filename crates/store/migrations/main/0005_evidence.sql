-- The evidence log of each controller (crates/audit, decision note 0016): a leaf
-- stands in the transaction of what it is evidence of. Hashes and salts only.

-- One log a controller.
CREATE TABLE evidence_log (
    controller TEXT   NOT NULL PRIMARY KEY REFERENCES controller (controller),
    name       BLOB   NOT NULL, -- 8 random bytes: a log that is begun anew has another name
    size       BIGINT NOT NULL  -- how many leaves it has
);

-- Its leaves. Rows are only added.
CREATE TABLE evidence_leaf (
    controller TEXT   NOT NULL,
    number     BIGINT NOT NULL, -- from 0, without gaps
    position   BIGINT NOT NULL, -- position of the entry, batch, read or erasure that it is evidence of
    leaf       BLOB   NOT NULL, -- salted commitment, as vernport-audit encodes it
    PRIMARY KEY (controller, number)
);
CREATE INDEX evidence_leaf_position ON evidence_leaf (controller, position);

-- Tiles of hashes that somebody asked for; they follow from the leaves.
CREATE TABLE evidence_tile (
    controller TEXT   NOT NULL,
    level      BIGINT NOT NULL, -- 0 over leaves, full ones only; each level above over full tiles below
    number     BIGINT NOT NULL, -- place in its level, from 0
    hashes     BLOB   NOT NULL, -- 1 to 256 hashes
    PRIMARY KEY (controller, level, number)
);

-- Checkpoints of the log: each stands here before it leaves.
CREATE TABLE evidence_checkpoint (
    controller TEXT   NOT NULL,
    size       BIGINT NOT NULL, -- how many leaves it is for
    note       TEXT   NOT NULL, -- signed note
    PRIMARY KEY (controller, size)
);

-- What was seen of the logs of gateways.
CREATE TABLE witnessed (
    controller    TEXT   NOT NULL,
    gateway       TEXT   NOT NULL,
    note          TEXT   NOT NULL, -- the last checkpoint that was cosigned, with the cosignature
    seen_at       BIGINT NOT NULL, -- when
    alarm         TEXT,            -- what is wrong with the gateway's log now; none: nothing
    central_alarm TEXT,            -- what the gateway finds wrong with this log; none: nothing
    alarms        BIGINT NOT NULL, -- how often something new was found
    cosigned      TEXT,            -- the last checkpoint of this log that the gateway cosigned, with the cosignature
    PRIMARY KEY (controller, gateway)
);
