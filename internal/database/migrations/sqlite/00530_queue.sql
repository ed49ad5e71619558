-- +goose Up
-- What a request is found and judged by. visitor is the browser's mark as the scan kept it, which outlives the scan;
-- hints are bits (internal/join/signs.go), kept up while the request waits; sought has the grams of name, phone and job
-- number, "" until the request was indexed.
ALTER TABLE join_requests ADD COLUMN visitor text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN hints integer NOT NULL DEFAULT 0;
ALTER TABLE join_requests ADD COLUMN sought text NOT NULL DEFAULT '';
CREATE INDEX queue_visitor ON join_requests (visitor) WHERE visitor <> '';
CREATE INDEX queue_phone ON join_requests (phone) WHERE phone <> '';
CREATE INDEX queue_hinted ON join_requests (created_at, id) WHERE status = 'pending' AND hints <> 0;
CREATE INDEX queue_guests ON join_requests (created_at, id) WHERE status = 'pending' AND guest_id IS NOT NULL;
CREATE INDEX queue_by_code ON join_requests (code_id, created_at, id) WHERE status = 'pending';
CREATE INDEX queue_unsought ON join_requests (id) WHERE sought = '';

-- The index over join_requests.sought; a token is a gram.
CREATE VIRTUAL TABLE request_grams USING fts5 (sought, content='join_requests', content_rowid='id', detail='none', tokenize='ascii');
-- +goose StatementBegin
CREATE TRIGGER request_grams_in AFTER INSERT ON join_requests WHEN NEW.sought <> '' BEGIN
    INSERT INTO request_grams (rowid, sought) VALUES (NEW.id, NEW.sought);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER request_grams_change AFTER UPDATE OF sought ON join_requests WHEN OLD.sought <> NEW.sought BEGIN
    INSERT INTO request_grams (request_grams, rowid, sought) SELECT 'delete', OLD.id, OLD.sought WHERE OLD.sought <> '';
    INSERT INTO request_grams (rowid, sought) SELECT NEW.id, NEW.sought WHERE NEW.sought <> '';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER request_grams_out AFTER DELETE ON join_requests WHEN OLD.sought <> '' BEGIN
    INSERT INTO request_grams (request_grams, rowid, sought) VALUES ('delete', OLD.id, OLD.sought);
END;
-- +goose StatementEnd

-- Filters that somebody keeps under a name.
CREATE TABLE request_views (
    id         integer PRIMARY KEY AUTOINCREMENT,
    member_id  integer NOT NULL REFERENCES members (id),
    name       text NOT NULL,
    query      text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    created_at datetime NOT NULL
);
CREATE UNIQUE INDEX request_views_name ON request_views (member_id, name);
CREATE UNIQUE INDEX request_views_default ON request_views (member_id) WHERE is_default;

-- Many requests decided at once: those that matched when they were counted. The worker takes running rows whose lease is over.
CREATE TABLE request_runs (
    id          integer PRIMARY KEY AUTOINCREMENT,
    created_by  integer NOT NULL REFERENCES members (id),
    approve     boolean NOT NULL,
    reason      text NOT NULL DEFAULT '',
    query       text NOT NULL DEFAULT '',
    state       text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'running', 'done', 'failed', 'cancelled')),
    total       integer NOT NULL DEFAULT 0,
    address     text NOT NULL DEFAULT '',
    device      text NOT NULL DEFAULT '',
    tries       integer NOT NULL DEFAULT 0,
    lease_until datetime,
    created_at  datetime NOT NULL,
    finished_at datetime
);
CREATE INDEX request_runs_author ON request_runs (created_by, id);
CREATE INDEX request_runs_running ON request_runs (id) WHERE state = 'running';
-- outcome is '' until the request was looked at.
CREATE TABLE request_run_items (
    run_id     integer NOT NULL REFERENCES request_runs (id) ON DELETE CASCADE,
    position   integer NOT NULL,
    request_id integer NOT NULL,
    outcome    text NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, position)
);
CREATE INDEX request_run_items_open ON request_run_items (run_id, position) WHERE outcome = '';

-- +goose Down
SELECT 1;
