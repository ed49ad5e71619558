-- +goose Up
-- The history is read newest first; what is rare among a hot code's scans has its own way in, and costs nothing
-- for the scans that lack it. Queries repeat the predicate literally, so that a generic plan finds the index.
CREATE INDEX scans_by_channel ON scans (code_id, channel, at DESC, id DESC) WHERE channel <> '';
CREATE INDEX scans_by_copy ON scans (code_id, copy_serial, at DESC, id DESC) WHERE copy_serial > 0;
CREATE INDEX scans_by_outcome ON scans (code_id, outcome, at DESC, id DESC) WHERE outcome <> 'live';
CREATE INDEX scans_by_member ON scans (code_id, member_id, at DESC, id DESC) WHERE member_id IS NOT NULL;
CREATE INDEX scan_days_day ON scan_days (day);

-- What the retention deleted, a row per run. A run that was cut short is continued by whoever comes next once its
-- lease is over; at most one is running. before is the newest cut of the run; first and last name its oldest and newest scan.
CREATE TABLE scan_purges (
    id          integer PRIMARY KEY AUTOINCREMENT,
    day         text NOT NULL,
    days        integer NOT NULL,
    before      datetime NOT NULL,
    deleted     integer NOT NULL DEFAULT 0,
    first_ref   text NOT NULL DEFAULT '',
    first_at    datetime,
    last_ref    text NOT NULL DEFAULT '',
    last_at     datetime,
    oldest_kept datetime,
    holder      text NOT NULL,
    lease_until datetime NOT NULL,
    running     boolean NOT NULL DEFAULT true,
    started_at  datetime NOT NULL,
    finished_at datetime
);
CREATE UNIQUE INDEX scan_purges_running ON scan_purges (running) WHERE running;

-- +goose Down
SELECT 1;
