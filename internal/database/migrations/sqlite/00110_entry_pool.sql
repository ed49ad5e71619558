-- +goose Up
-- The images of chats move to their pool: groups keeps only links.
INSERT INTO entry_images (group_id, file_id, url, position, valid_until, added_by, added_at)
    SELECT id, entry_file_id, entry_url, 1, coalesce(entry_valid_until, updated_at), entry_by, updated_at
    FROM groups WHERE entry_kind = 'upstream' AND entry_file_id IS NOT NULL;
UPDATE groups SET entry_url = '', entry_file_id = NULL, entry_valid_until = NULL WHERE entry_kind = 'upstream';
CREATE INDEX groups_custodian ON groups (entry_custodian_id) WHERE entry_custodian_id IS NOT NULL;
-- A series that was stopped makes no further group; those it has stay one another's way out.
ALTER TABLE group_series ADD COLUMN stopped_at datetime;

-- +goose Down
SELECT 1;
