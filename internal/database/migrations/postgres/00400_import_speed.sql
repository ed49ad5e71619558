-- +goose Up
-- A large import leaves its people to the indexer behind it (directory.RunIndex): who is not indexed yet has no entry
-- in the index at all. A search says so too, or it is not served by it.
DROP INDEX members_grams;
CREATE INDEX members_grams ON members USING gin (string_to_array(grams, ' ')) WITH (gin_pending_list_limit = 256) WHERE grams <> '';

-- Written once, read a page at a time and dropped: packing them costs more than it saves.
ALTER TABLE import_lines ALTER COLUMN lines SET STORAGE EXTERNAL;

-- +goose Down
SELECT 1;
