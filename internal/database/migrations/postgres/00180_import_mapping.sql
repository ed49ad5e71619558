-- +goose Up
-- mapping is a JSON array: our field for each column of the file, '' = not read;
-- empty when the header says it all. remembered: it is the one of the last time.
-- waiting: the file is kept until somebody says what its columns are.
-- whole: one refused row and nothing is changed. depart_id: people of this
-- department and below who are not in the file leave, for depart_reason; left is
-- how many will (a dry run) or did. lease_owner is who works on the run.
ALTER TABLE imports ADD COLUMN mapping text NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN remembered boolean NOT NULL DEFAULT false;
ALTER TABLE imports ADD COLUMN waiting boolean NOT NULL DEFAULT false;
ALTER TABLE imports ADD COLUMN workbook boolean NOT NULL DEFAULT false;
ALTER TABLE imports ADD COLUMN whole boolean NOT NULL DEFAULT false;
ALTER TABLE imports ADD COLUMN depart_id bigint REFERENCES departments (id);
ALTER TABLE imports ADD COLUMN depart_name text NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN depart_reason text NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN depart_of integer NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN moved integer NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN departed integer NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN lease_owner text NOT NULL DEFAULT '';

-- The uploaded file, apart from the row that every batch writes to; file_id is
-- the import it came with. The check, the run and a check with other columns share it.
ALTER TABLE imports ADD COLUMN file_id bigint NOT NULL DEFAULT 0;
CREATE TABLE import_files (
    import_id bigint PRIMARY KEY REFERENCES imports (id),
    content   bytea NOT NULL
);
-- It is read once and dropped: packing it costs more than it saves.
ALTER TABLE import_files ALTER COLUMN content SET STORAGE EXTERNAL;
INSERT INTO import_files (import_id, content) SELECT id, content FROM imports WHERE length(content) > 0;
UPDATE imports SET file_id = id, content = '' WHERE length(content) > 0;

-- What an import does to people, some hundred of them in each row as a JSON array:
-- 100,000 unchanged people are a thousand rows. first and last are lines of the file.
CREATE TABLE import_lines (
    import_id bigint NOT NULL REFERENCES imports (id),
    kind      text NOT NULL CHECK (kind IN ('created', 'changed', 'moved', 'departed', 'unchanged', 'kept')),
    first     integer NOT NULL,
    last      integer NOT NULL,
    lines     text NOT NULL,
    PRIMARY KEY (import_id, kind, first)
);

-- What somebody said about the columns of files with the same header.
CREATE TABLE column_mappings (
    member_id  bigint NOT NULL REFERENCES members (id),
    signature  text NOT NULL,
    mapping    text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (member_id, signature)
);

-- Members are never deleted, and who gets a place was written or read in the very
-- transaction that gives it: looking each of 100,000 up again would only cost.
ALTER TABLE member_departments DROP CONSTRAINT member_departments_member_id_fkey;

-- A plan made while there were few members reads all of them for each place: a batch needs one for now.
ALTER FUNCTION tally_places() SET plan_cache_mode = 'force_custom_plan';

-- +goose Down
SELECT 1;
