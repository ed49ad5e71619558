-- +goose Up
-- Until when a code that behaves oddly needs approval though its group is open. Part of what a scan and a press are decided on.
ALTER TABLE codes ADD COLUMN fused_until datetime;
CREATE INDEX codes_fused ON codes (fused_until) WHERE fused_until IS NOT NULL;
-- What is known of a code's fuse. since: what happened before it does not count (any more).
CREATE TABLE code_fuses (
    code_id  integer PRIMARY KEY REFERENCES codes (id),
    off      boolean NOT NULL DEFAULT false,
    burst    integer NOT NULL DEFAULT 0,
    why      text NOT NULL DEFAULT '',
    seen     integer NOT NULL DEFAULT 0,
    most     integer NOT NULL DEFAULT 0,
    fused_at datetime,
    since    datetime
);
-- Whose turn it is to watch: one instance takes each minute.
CREATE TABLE fuse_watch (
    id      integer PRIMARY KEY CHECK (id = 1),
    next_at datetime NOT NULL
);
INSERT INTO fuse_watch (id, next_at) VALUES (1, '2000-01-01 00:00:00+00:00');

-- What people say of a code. Many reports of one code stand in its one case that is not closed.
CREATE TABLE cases (
    id        integer PRIMARY KEY AUTOINCREMENT,
    code_id   integer NOT NULL REFERENCES codes (id),
    state     text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'taken', 'closed')),
    reports   integer NOT NULL DEFAULT 0,
    opened_at datetime NOT NULL,
    last_at   datetime NOT NULL,
    taken_by  integer REFERENCES members (id),
    taken_at  datetime,
    closed_by integer REFERENCES members (id),
    closed_at datetime,
    outcome   text NOT NULL DEFAULT '',
    note      text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX cases_one ON cases (code_id) WHERE state <> 'closed';
CREATE INDEX cases_open ON cases (last_at DESC, id DESC) WHERE state <> 'closed';
CREATE INDEX cases_closed ON cases (closed_at DESC, id DESC) WHERE state = 'closed';
CREATE TABLE case_reports (
    id          integer PRIMARY KEY AUTOINCREMENT,
    case_id     integer NOT NULL REFERENCES cases (id),
    category    text NOT NULL,
    words       text NOT NULL DEFAULT '',
    scan_ref    text NOT NULL DEFAULT '',
    copy_serial integer NOT NULL DEFAULT 0,
    outcome     text NOT NULL DEFAULT '',
    at          datetime NOT NULL
);
CREATE INDEX case_reports_case ON case_reports (case_id, id);

-- +goose Down
SELECT 1;
