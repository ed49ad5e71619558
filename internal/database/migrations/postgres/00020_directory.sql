-- +goose Up
-- What a departure ended at once. effects is a JSON array of {key, count}.
CREATE TABLE departure_receipts (
    member_id   bigint PRIMARY KEY REFERENCES members (id),
    effects     text NOT NULL,
    at          timestamptz NOT NULL,
    departed_by bigint REFERENCES members (id)
);

-- source_id is the dry run that a real run was started from; unique, so that a
-- double press starts one run. lease_until keeps two servers from one import.
ALTER TABLE imports ADD COLUMN source_id bigint REFERENCES imports (id);
ALTER TABLE imports ADD COLUMN departments integer NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN lease_until timestamptz;
CREATE UNIQUE INDEX imports_source ON imports (source_id);
CREATE INDEX imports_creator ON imports (created_by, id);
CREATE INDEX imports_running ON imports (id) WHERE state = 'running';

-- +goose Down
SELECT 1;
