-- Enrolment of gateways over the network (decision note 0020).

-- A token that lets one gateway enrol, once.
CREATE TABLE invitation (
    controller TEXT   NOT NULL REFERENCES controller (controller),
    token_hash BYTEA  NOT NULL, -- of the token, which is nowhere here
    gateway    TEXT   NOT NULL, -- who may enrol …
    site       TEXT   NOT NULL, -- … and where
    station    TEXT   NOT NULL,
    replaces   BIGINT NOT NULL, -- 1: it may take the place of a gateway that is enrolled under this name
    invited_by TEXT   NOT NULL, -- common name of the registrar
    invited_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    keys_hash  BYTEA,            -- hash of the public keys that it was used for; none: not used
    entry      BYTEA,            -- the ledger entry that it was used for
    PRIMARY KEY (controller, token_hash)
);

-- Certificates that were issued to gateways. One is in force while its enrolment is the last of its gateway.
CREATE TABLE gateway_certificate (
    controller  TEXT   NOT NULL REFERENCES controller (controller),
    gateway     TEXT   NOT NULL,
    serial      BYTEA  NOT NULL, -- drawn at random
    enrolment   BYTEA  NOT NULL, -- the ledger entry that enrolled the gateway
    key_hash    BYTEA  NOT NULL, -- SHA-256 of its public key
    certificate BYTEA  NOT NULL, -- DER
    issued_at   BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    PRIMARY KEY (controller, gateway, serial)
);
