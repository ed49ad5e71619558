-- +goose Up
-- Which copy of an earlier code this one takes the place of: a copy is made again once.
ALTER TABLE code_copies ADD COLUMN reprint_of bigint REFERENCES code_copies (id);
CREATE UNIQUE INDEX code_copies_reprint ON code_copies (reprint_of) WHERE reprint_of IS NOT NULL;
-- What hangs somewhere, for the list of stale prints.
CREATE INDEX code_copies_hanging ON code_copies (code_id) WHERE removed_at IS NULL;
-- Deleting a channel looks for its copies.
CREATE INDEX code_copies_channel ON code_copies (channel_id) WHERE channel_id IS NOT NULL;

-- +goose Down
SELECT 1;
