-- +goose Up
-- Rows that every batch of scans rewrites leave room on their page, so that a new version needs no entry in an index.
ALTER TABLE code_counters SET (fillfactor = 50);
ALTER TABLE scan_days SET (fillfactor = 50);
ALTER TABLE scan_funnel SET (fillfactor = 50);
ALTER TABLE code_copies SET (fillfactor = 70);
-- A scan's code was read and its counter locked in the very transaction that writes the scan, and codes are never deleted:
-- looking it up again for each row would only cost.
ALTER TABLE scans DROP CONSTRAINT scans_code_id_fkey;

-- +goose Down
SELECT 1;
