-- +goose Up
-- Facts that have happened, written by the transaction that made them true: waiting pages and open queues follow them,
-- messages are made of them. Whatever changes a request's state writes its row here by itself.
CREATE TABLE events (
    id         integer PRIMARY KEY AUTOINCREMENT,
    kind       text NOT NULL,
    group_id   integer,
    request_id integer,
    member_id  integer,
    guest_id   integer,
    code_id    integer,
    actor_id   integer,
    data       text NOT NULL DEFAULT '',
    at         datetime NOT NULL,
    handled_at datetime
);
CREATE INDEX events_open ON events (id) WHERE handled_at IS NULL;
CREATE INDEX events_at ON events (at);

-- +goose StatementBegin
CREATE TRIGGER join_requests_tell_submitted AFTER INSERT ON join_requests WHEN NEW.status = 'pending' BEGIN
    INSERT INTO events (kind, group_id, request_id, member_id, guest_id, code_id, at)
    VALUES ('request.submitted', NEW.group_id, NEW.id, NEW.member_id, NEW.guest_id, NEW.code_id, NEW.created_at);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER join_requests_tell_decided AFTER UPDATE OF status, group_id ON join_requests WHEN NEW.status <> OLD.status OR NEW.group_id <> OLD.group_id BEGIN
    INSERT INTO events (kind, group_id, request_id, member_id, guest_id, code_id, actor_id, at)
    VALUES (CASE WHEN NEW.status <> OLD.status AND NEW.status = 'pending' THEN 'request.reopened' WHEN NEW.status <> OLD.status THEN 'request.' || NEW.status ELSE 'request.moved' END,
        NEW.group_id, NEW.id, NEW.member_id, NEW.guest_id, NEW.code_id, NEW.decided_by, coalesce(NEW.decided_at, NEW.created_at));
END;
-- +goose StatementEnd
