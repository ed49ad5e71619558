-- +goose Up
-- What is told to whom: one row per message and way, written with events.handled_at. uid is what receivers tell duplicates by.
CREATE TABLE messages (
    id           integer PRIMARY KEY AUTOINCREMENT,
    uid          text NOT NULL UNIQUE,
    channel      text NOT NULL CHECK (channel IN ('bell', 'mail', 'sms', 'webhook')),
    kind         text NOT NULL,
    event_id     integer,
    member_id    integer REFERENCES members (id),
    guest_id     integer REFERENCES guests (id),
    endpoint_id  integer,
    href         text NOT NULL DEFAULT '',
    args         text NOT NULL DEFAULT '',
    body         text NOT NULL DEFAULT '',
    times        integer NOT NULL DEFAULT 1,
    open_key     text UNIQUE,
    state        text NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'given_up', 'capped')),
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text NOT NULL DEFAULT '',
    counted_day  text NOT NULL DEFAULT '',
    next_try_at  datetime NOT NULL,
    locked_until datetime,
    created_at   datetime NOT NULL,
    updated_at   datetime NOT NULL,
    sent_at      datetime,
    read_at      datetime
);
CREATE INDEX messages_due ON messages (channel, next_try_at, id) WHERE state IN ('queued', 'failed');
CREATE INDEX messages_bell ON messages (member_id, updated_at, id) WHERE channel = 'bell';
CREATE INDEX messages_unread ON messages (member_id) WHERE channel = 'bell' AND read_at IS NULL;
CREATE INDEX messages_log ON messages (id) WHERE channel <> 'bell';
CREATE INDEX messages_stuck ON messages (state, id) WHERE channel <> 'bell' AND state <> 'sent';
CREATE INDEX messages_endpoint ON messages (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX messages_old ON messages (updated_at);

-- What a digest says: one line per kind and thing, counted.
CREATE TABLE message_lines (
    message_id integer NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    line_key   text NOT NULL,
    kind       text NOT NULL,
    href       text NOT NULL DEFAULT '',
    args       text NOT NULL DEFAULT '',
    times      integer NOT NULL DEFAULT 1,
    at         datetime NOT NULL,
    PRIMARY KEY (message_id, line_key)
);

-- Each try to hand a message over.
CREATE TABLE message_tries (
    id         integer PRIMARY KEY AUTOINCREMENT,
    message_id integer NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    at         datetime NOT NULL,
    status     integer NOT NULL DEFAULT 0,
    took_ms    integer NOT NULL DEFAULT 0,
    error      text NOT NULL DEFAULT ''
);
CREATE INDEX message_tries_message ON message_tries (message_id, id);

-- How much was sent on one of the organisation's days; member 0 is everybody together.
CREATE TABLE message_days (
    day       text NOT NULL,
    member_id integer NOT NULL,
    sent      integer NOT NULL,
    PRIMARY KEY (day, member_id)
);

-- One row while the sending stands still because a day's limit was passed.
CREATE TABLE message_freeze (
    id        integer PRIMARY KEY CHECK (id = 1),
    frozen_at datetime NOT NULL,
    sent      integer NOT NULL
);

CREATE TABLE notice_settings (
    member_id  integer PRIMARY KEY REFERENCES members (id),
    mail       boolean NOT NULL,
    sms        boolean NOT NULL,
    digest     text NOT NULL CHECK (digest IN ('now', 'hourly', 'daily')),
    quiet_from text NOT NULL DEFAULT '',
    quiet_to   text NOT NULL DEFAULT '',
    language   text NOT NULL DEFAULT '',
    updated_at datetime NOT NULL
);

CREATE TABLE mail_settings (
    id         integer PRIMARY KEY CHECK (id = 1),
    host       text NOT NULL,
    port       integer NOT NULL,
    security   text NOT NULL CHECK (security IN ('starttls', 'tls', 'none')),
    username   text NOT NULL DEFAULT '',
    password   blob,
    sender     text NOT NULL,
    updated_at datetime NOT NULL
);

-- old_secret signs too until old_until; a secret is shown once.
CREATE TABLE webhook_endpoints (
    id              integer PRIMARY KEY AUTOINCREMENT,
    label           text NOT NULL,
    url             text NOT NULL,
    kinds           text NOT NULL,
    secret          blob NOT NULL,
    secret_shown_at datetime,
    old_secret      blob,
    old_until       datetime,
    enabled         boolean NOT NULL,
    failures        integer NOT NULL DEFAULT 0,
    disabled_why    text NOT NULL DEFAULT '',
    created_by      integer REFERENCES members (id),
    created_at      datetime NOT NULL,
    updated_at      datetime NOT NULL,
    deleted_at      datetime
);

-- A group reaches a number of members once, however often it passes it.
CREATE TABLE group_milestones (
    group_id integer NOT NULL REFERENCES groups (id),
    members  integer NOT NULL,
    at       datetime NOT NULL,
    PRIMARY KEY (group_id, members)
);

-- Chat images whose end was announced.
CREATE TABLE entry_warnings (
    image_id    integer NOT NULL,
    valid_until datetime NOT NULL,
    at          datetime NOT NULL,
    PRIMARY KEY (image_id, valid_until)
);

-- Nobody is told of what was over before there were messages.
UPDATE events SET handled_at = at WHERE handled_at IS NULL;

-- Who asks for a second person, and what became of it.
-- +goose StatementBegin
CREATE TRIGGER approvals_tell_waiting AFTER INSERT ON approvals WHEN NEW.status = 'pending' BEGIN
    INSERT INTO events (kind, actor_id, data, at) VALUES ('approval.waiting', NEW.requested_by, '{"approval":' || NEW.id || '}', NEW.requested_at);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approvals_tell_decided AFTER UPDATE OF status ON approvals WHEN OLD.status = 'pending' AND NEW.status IN ('approved', 'rejected', 'expired') BEGIN
    INSERT INTO events (kind, member_id, actor_id, data, at)
    VALUES ('approval.' || NEW.status, NEW.requested_by, NEW.decided_by, '{"approval":' || NEW.id || '}', coalesce(NEW.decided_at, NEW.requested_at));
END;
-- +goose StatementEnd
