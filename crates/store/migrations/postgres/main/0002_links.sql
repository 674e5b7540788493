-- What was said at stations and brought by their gateways. Rows are only added.
CREATE TABLE link (
    controller TEXT   NOT NULL,
    gateway    TEXT   NOT NULL,
    segment    BYTEA  NOT NULL, -- the chain, 16 random bytes
    sequence   BIGINT NOT NULL, -- place in the chain, from 1
    link       BYTEA  NOT NULL, -- SHA-256 of what the gateway signed
    entry      BYTEA,           -- the ledger entry that came of it; none: refused
    refused    TEXT,            -- why, in words that name nobody
    position   BIGINT NOT NULL, -- order of merging
    merged_at  BIGINT NOT NULL,
    PRIMARY KEY (controller, gateway, segment, sequence),
    FOREIGN KEY (controller, gateway) REFERENCES gateway (controller, gateway)
);

-- How often links were refused that cannot be of their chain.
CREATE TABLE link_refusal (
    controller TEXT   NOT NULL,
    gateway    TEXT   NOT NULL, -- common name of the certificate that brought them
    code       TEXT   NOT NULL, -- code of the problem document
    count      BIGINT NOT NULL,
    PRIMARY KEY (controller, gateway, code)
);
