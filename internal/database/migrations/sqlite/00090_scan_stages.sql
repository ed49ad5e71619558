-- +goose Up
-- How far the person behind a scan got: 1 asked for entry, 2 was let in. Each step is counted once, whoever presses how often.
ALTER TABLE scans ADD COLUMN stages integer NOT NULL DEFAULT 0;
UPDATE scans SET stages = 1 WHERE id IN (SELECT scan_id FROM join_requests);
UPDATE scans SET stages = stages + 2 WHERE id IN (SELECT scan_id FROM join_requests WHERE status = 'approved');

-- +goose Down
SELECT 1;
