-- What fleet operators call vehicles themselves, sealed to the operator: nobody else reads it from here.
CREATE TABLE fleet_number (
    controller TEXT   NOT NULL REFERENCES controller (controller),
    asset      BYTEA  NOT NULL,
    recipient  TEXT   NOT NULL, -- the operator
    purpose    TEXT   NOT NULL, -- whose key opens it
    key_id     BYTEA  NOT NULL,
    sealed     BYTEA  NOT NULL,
    entered_at BIGINT NOT NULL,
    PRIMARY KEY (controller, asset, recipient, purpose)
);
CREATE INDEX fleet_number_entered ON fleet_number (controller, entered_at);
-- When a broker last took what the operator calls the vehicle of this alias; none: never, or it changed since.
ALTER TABLE alias ADD COLUMN listed_at BIGINT;
