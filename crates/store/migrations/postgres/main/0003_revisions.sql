-- Each change that is recorded for a controller raises its revision by one. A
-- process that holds a controller's state in memory sees by it whether others
-- recorded something, and fetches what they did.
ALTER TABLE controller ADD COLUMN revision BIGINT NOT NULL DEFAULT 0; -- of the last change
ALTER TABLE controller ADD COLUMN rules BYTEA; -- hash of the bundle by which grants are computed: one at a time

-- The revision that added a row or changed it last.
ALTER TABLE entry ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE flow_grant ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alias ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE link ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
CREATE INDEX entry_revision ON entry (controller, revision);
CREATE INDEX flow_grant_revision ON flow_grant (controller, revision);
CREATE INDEX alias_revision ON alias (controller, revision);
CREATE INDEX link_revision ON link (controller, revision);
