-- +goose Up
-- Verifications of the whole chain that somebody asked for: done in the background, one at a time. What came of one is
-- authenticated by its mac.
CREATE TABLE audit_runs (
    id          integer PRIMARY KEY AUTOINCREMENT,
    state       text NOT NULL DEFAULT 'running',
    asked_by    integer NOT NULL,
    asked_name  text NOT NULL,
    asked_at    datetime NOT NULL,
    total       integer NOT NULL,
    done        integer NOT NULL DEFAULT 0,
    tries       integer NOT NULL DEFAULT 0,
    lease_until datetime,
    lease_owner text NOT NULL DEFAULT '',
    ended_at    datetime,
    mac         text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX audit_runs_one ON audit_runs (state) WHERE state = 'running';
-- Prints that hang again after they were taken down missed what changed meanwhile; all are looked at once more.
UPDATE code_copies SET doubtful = true WHERE removed_at IS NULL AND NOT doubtful;

-- +goose Down
SELECT 1;
