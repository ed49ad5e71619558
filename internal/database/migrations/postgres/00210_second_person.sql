-- +goose Up
-- note is why the author asks. print tells requests for the very same thing, of which one may wait. void is the
-- sentence, as JSON, why a request can never be carried out any more. seen_at is when the author last looked at an
-- outcome; what was over before this migration counts as seen.
ALTER TABLE approvals ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN print text NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN void text NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN seen_at timestamptz;
UPDATE approvals SET seen_at = coalesce(decided_at, requested_at) WHERE status <> 'pending';
CREATE UNIQUE INDEX approvals_same ON approvals (kind, print) WHERE status = 'pending' AND print <> '';
CREATE INDEX approvals_unseen ON approvals (requested_by, id) WHERE seen_at IS NULL;
CREATE INDEX approvals_kind ON approvals (kind, id);

-- +goose Down
SELECT 1;
