-- Messages of tools that were refused: by keyed hash, never what they said. One
-- row for each, however often it came; the newest are kept, up to a bound.
CREATE TABLE refused_tool_message (
    tool     TEXT NOT NULL,                               -- slug of the tool
    digest   BLOB NOT NULL CHECK (length(digest) = 16),   -- keyed hash of the payload
    code     TEXT NOT NULL,                               -- what the tool was answered (crates/mqtt/src/tool_result.rs)
    count    INTEGER NOT NULL CHECK (count > 0),          -- how often it came
    first_at INTEGER NOT NULL,                            -- time of the first
    last_at  INTEGER NOT NULL,                            -- time of the last
    PRIMARY KEY (tool, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX refused_tool_message_by_age ON refused_tool_message (last_at);
