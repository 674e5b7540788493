-- The eras of the registry. The first has no row; each further one began after
-- the main database was restored from a backup.
CREATE TABLE era (
    controller TEXT   NOT NULL,
    era        BIGINT NOT NULL, -- from 2
    began_at   BIGINT NOT NULL,
    document   BLOB   NOT NULL, -- signed with the controller's bundle key
    PRIMARY KEY (controller, era)
);
