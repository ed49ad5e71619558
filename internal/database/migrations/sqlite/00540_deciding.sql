-- +goose Up
-- Reasons to choose from when deciding. A retired one is offered no more; what was decided with it keeps its words.
CREATE TABLE decision_reasons (
    id         integer PRIMARY KEY AUTOINCREMENT,
    decision   text NOT NULL CHECK (decision IN ('approve', 'reject')),
    text_zh    text NOT NULL,
    text_en    text NOT NULL,
    position   integer NOT NULL,
    created_by integer REFERENCES members (id),
    created_at datetime NOT NULL,
    retired_by integer REFERENCES members (id),
    retired_at datetime
);
INSERT INTO decision_reasons (decision, text_zh, text_en, position, created_at) VALUES
    ('reject', '信息不完整，请写明你是谁、对接谁', 'Please say who you are and whom you work with', 1, strftime('%Y-%m-%d %H:%M:%S+00:00', 'now')),
    ('reject', '这个群不对你的部门开放', 'This group is not open to your department', 2, strftime('%Y-%m-%d %H:%M:%S+00:00', 'now')),
    ('reject', '请让对接人直接联系群管理员', 'Please have your contact speak to the group''s admins', 3, strftime('%Y-%m-%d %H:%M:%S+00:00', 'now'));

-- What was said to the applicant: reason is the whole in the decider's language, the others are the reason of the list as
-- it read then and what was typed beside it. rule names what decided by itself; into_group_id is another group that
-- the approval led to; granted_until is when that stay ends.
ALTER TABLE join_requests ADD COLUMN reason_id integer REFERENCES decision_reasons (id);
ALTER TABLE join_requests ADD COLUMN reason_zh text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN reason_en text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN reason_free text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN rule text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN into_group_id integer REFERENCES groups (id);
ALTER TABLE join_requests ADD COLUMN granted_until datetime;
ALTER TABLE request_runs ADD COLUMN reason_id integer REFERENCES decision_reasons (id);
ALTER TABLE request_runs ADD COLUMN english boolean NOT NULL DEFAULT false;

-- Every decision that was ever made on a request, those that were taken back too.
CREATE TABLE request_decisions (
    id            integer PRIMARY KEY AUTOINCREMENT,
    request_id    integer NOT NULL REFERENCES join_requests (id),
    group_id      integer NOT NULL REFERENCES groups (id),
    outcome       text NOT NULL CHECK (outcome IN ('approved', 'rejected')),
    decided_by    integer REFERENCES members (id),
    rule          text NOT NULL DEFAULT '',
    decided_at    datetime NOT NULL,
    waited        integer NOT NULL, -- seconds
    reason        text NOT NULL DEFAULT '',
    reason_id     integer,
    reason_zh     text NOT NULL DEFAULT '',
    reason_en     text NOT NULL DEFAULT '',
    reason_free   text NOT NULL DEFAULT '',
    into_group_id integer,
    granted_until datetime,
    undone_at     datetime,
    undone_by     integer REFERENCES members (id),
    undone_why    text NOT NULL DEFAULT ''
);
INSERT INTO request_decisions (request_id, group_id, outcome, decided_by, decided_at, waited, reason, reason_free)
    SELECT id, group_id, status, decided_by, decided_at, max(0, CAST(strftime('%s', decided_at) AS integer) - CAST(strftime('%s', created_at) AS integer)), reason, reason
    FROM join_requests WHERE status IN ('approved', 'rejected') AND decided_at IS NOT NULL ORDER BY decided_at, id;
CREATE INDEX request_decisions_request ON request_decisions (request_id);
CREATE INDEX request_decisions_at ON request_decisions (decided_at);
CREATE INDEX request_decisions_by ON request_decisions (decided_by, decided_at);

-- Whatever decides a request writes its row there by itself.
-- +goose StatementBegin
CREATE TRIGGER join_requests_keep_decided AFTER UPDATE OF status ON join_requests
WHEN NEW.status <> OLD.status AND NEW.status IN ('approved', 'rejected') AND NEW.decided_at IS NOT NULL BEGIN
    INSERT INTO request_decisions (request_id, group_id, outcome, decided_by, rule, decided_at, waited, reason, reason_id, reason_zh, reason_en, reason_free, into_group_id, granted_until)
    VALUES (NEW.id, NEW.group_id, NEW.status, NEW.decided_by, NEW.rule, NEW.decided_at, max(0, CAST(strftime('%s', NEW.decided_at) AS integer) - CAST(strftime('%s', NEW.created_at) AS integer)),
        NEW.reason, NEW.reason_id, NEW.reason_zh, NEW.reason_en, NEW.reason_free, NEW.into_group_id, NEW.granted_until);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER join_requests_born_decided AFTER INSERT ON join_requests
WHEN NEW.status IN ('approved', 'rejected') AND NEW.decided_at IS NOT NULL BEGIN
    INSERT INTO request_decisions (request_id, group_id, outcome, decided_by, rule, decided_at, waited, reason, reason_id, reason_zh, reason_en, reason_free, into_group_id, granted_until)
    VALUES (NEW.id, NEW.group_id, NEW.status, NEW.decided_by, NEW.rule, NEW.decided_at, max(0, CAST(strftime('%s', NEW.decided_at) AS integer) - CAST(strftime('%s', NEW.created_at) AS integer)),
        NEW.reason, NEW.reason_id, NEW.reason_zh, NEW.reason_en, NEW.reason_free, NEW.into_group_id, NEW.granted_until);
END;
-- +goose StatementEnd

-- Stays that end by themselves, and who asks for more time.
ALTER TABLE memberships ADD COLUMN until datetime;
CREATE INDEX memberships_until ON memberships (until) WHERE status = 'active' AND until IS NOT NULL;
CREATE INDEX memberships_request ON memberships (request_id) WHERE request_id IS NOT NULL;
CREATE TABLE stay_extensions (
    id            integer PRIMARY KEY AUTOINCREMENT,
    membership_id integer NOT NULL REFERENCES memberships (id),
    group_id      integer NOT NULL REFERENCES groups (id),
    note          text NOT NULL DEFAULT '',
    asked_at      datetime NOT NULL,
    outcome       text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'granted', 'refused', 'over')),
    reason        text NOT NULL DEFAULT '',
    decided_at    datetime,
    decided_by    integer REFERENCES members (id)
);
CREATE UNIQUE INDEX stay_extensions_open ON stay_extensions (membership_id) WHERE outcome = '';
CREATE INDEX stay_extensions_waiting ON stay_extensions (asked_at, id) WHERE outcome = '';
CREATE INDEX stay_extensions_membership ON stay_extensions (membership_id, id);

-- Decisions added up by month once nothing about them can change any more; request_decisions has the exact rows. waited is
-- in seconds, rounded to two figures; decided_by 0 is nobody in person; department_id is where the group was then.
CREATE TABLE decision_sums (
    month         text NOT NULL,
    department_id integer NOT NULL,
    decided_by    integer NOT NULL,
    rule          text NOT NULL,
    outcome       text NOT NULL,
    waited        integer NOT NULL,
    n             integer NOT NULL,
    undone        integer NOT NULL,
    removed       integer NOT NULL,
    PRIMARY KEY (month, department_id, decided_by, rule, outcome, waited)
);
-- Up to when that has been done.
CREATE TABLE decision_summed (
    id integer PRIMARY KEY CHECK (id = 1),
    at datetime NOT NULL
);

-- +goose Down
SELECT 1;
