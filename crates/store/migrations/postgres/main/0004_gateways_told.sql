-- What each gateway was told and has told, for all processes of central.
ALTER TABLE gateway ADD COLUMN head_until BIGINT;       -- no head was sent later than this; none: not known
ALTER TABLE gateway ADD COLUMN applied_revision BIGINT; -- what it has in effect is at least as new as this; none: it did not say
ALTER TABLE gateway ADD COLUMN applied_at BIGINT;       -- when it said so
