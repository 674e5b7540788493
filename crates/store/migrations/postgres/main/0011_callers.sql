-- Requests that bear an Idempotency-Key, and what the first of them was answered.

CREATE TABLE keyed_request (
    controller TEXT   NOT NULL REFERENCES controller (controller),
    caller     BYTEA  NOT NULL, -- keyed hash of role, organisation and name in the client certificate
    key        BYTEA  NOT NULL, -- keyed hash of the key: callers may put anything into it
    holder     BYTEA  NOT NULL, -- drawn by the attempt that works on it, or did
    until      BIGINT NOT NULL, -- then another attempt may take it over, unless it was answered
    first_at   BIGINT NOT NULL, -- when it was first sent
    request    BYTEA,           -- SHA-256 of the request; none: its body was not read to its end yet
    answer     BYTEA,           -- the answer, sealed under central's master key; none: not answered yet
    PRIMARY KEY (controller, caller, key)
);
CREATE INDEX keyed_request_first ON keyed_request (controller, first_at);
