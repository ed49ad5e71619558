-- +goose Up
-- Job numbers are kept by three characters too, so that one look finds a part of a phone or of a job number:
-- everybody is indexed anew (directory.Reindex).
UPDATE members SET grams = '' WHERE grams <> '';

-- +goose Down
SELECT 1;
