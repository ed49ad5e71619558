-- +goose Up
-- What a member is found by: sought is what anybody may search (the name, its pinyin), grams every one and two
-- characters of it, with those of phone and job number behind a mark. '' = not indexed yet (directory.Reindex).
ALTER TABLE members ADD COLUMN sought text NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN grams text NOT NULL DEFAULT '';
CREATE INDEX members_unindexed ON members (id) WHERE grams = '';
CREATE INDEX members_departed ON members (name, id) WHERE status = 'departed';
CREATE INDEX departments_parent ON departments (parent_id, id);

-- The index over members.grams; a token is a gram.
CREATE VIRTUAL TABLE member_grams USING fts5 (grams, content='members', content_rowid='id', detail='none', tokenize='ascii');
-- +goose StatementBegin
CREATE TRIGGER member_grams_in AFTER INSERT ON members WHEN NEW.grams <> '' BEGIN
    INSERT INTO member_grams (rowid, grams) VALUES (NEW.id, NEW.grams);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER member_grams_change AFTER UPDATE OF grams ON members WHEN OLD.grams <> NEW.grams BEGIN
    INSERT INTO member_grams (member_grams, rowid, grams) SELECT 'delete', OLD.id, OLD.grams WHERE OLD.grams <> '';
    INSERT INTO member_grams (rowid, grams) SELECT NEW.id, NEW.grams WHERE NEW.grams <> '';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER member_grams_out AFTER DELETE ON members WHEN OLD.grams <> '' BEGIN
    INSERT INTO member_grams (member_grams, rowid, grams) VALUES ('delete', OLD.id, OLD.grams);
END;
-- +goose StatementEnd

-- How many active members a department has with all below it, kept by the triggers below: a tree of 30,000
-- departments cannot count them for each page. A path is read as a list of ids.
ALTER TABLE departments ADD COLUMN members integer NOT NULL DEFAULT 0;
UPDATE departments SET members = c.n FROM (
    SELECT a.value AS id, count(*) AS n FROM member_departments md
        JOIN members m ON m.id = md.member_id AND m.status = 'active' JOIN departments p ON p.id = md.department_id
        JOIN json_each('[' || replace(trim(p.path, '/'), '/', ',') || ']') a GROUP BY 1) c
    WHERE departments.id = c.id;
-- +goose StatementBegin
CREATE TRIGGER member_departments_in AFTER INSERT ON member_departments
WHEN (SELECT status FROM members WHERE id = NEW.member_id) = 'active' BEGIN
    UPDATE departments SET members = members + 1 WHERE id IN (SELECT value FROM
        json_each('[' || replace(trim((SELECT path FROM departments WHERE id = NEW.department_id), '/'), '/', ',') || ']'));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER member_departments_out AFTER DELETE ON member_departments
WHEN (SELECT status FROM members WHERE id = OLD.member_id) = 'active' BEGIN
    UPDATE departments SET members = members - 1 WHERE id IN (SELECT value FROM
        json_each('[' || replace(trim((SELECT path FROM departments WHERE id = OLD.department_id), '/'), '/', ',') || ']'));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER members_status AFTER UPDATE OF status ON members WHEN OLD.status <> NEW.status BEGIN
    UPDATE departments SET members = departments.members + CASE NEW.status WHEN 'active' THEN c.n ELSE -c.n END FROM (
        SELECT a.value AS id, count(*) AS n FROM member_departments md JOIN departments p ON p.id = md.department_id
            JOIN json_each('[' || replace(trim(p.path, '/'), '/', ',') || ']') a WHERE md.member_id = NEW.id GROUP BY 1) c
        WHERE departments.id = c.id;
END;
-- +goose StatementEnd

-- A person may leave and come back: one row for each time. effects is a JSON array of {key, count}.
CREATE TABLE departures (
    id                integer PRIMARY KEY AUTOINCREMENT,
    member_id         integer NOT NULL REFERENCES members (id),
    effects           text NOT NULL,
    reason            text NOT NULL DEFAULT '',
    at                datetime NOT NULL,
    departed_by       integer REFERENCES members (id),
    reactivated_at    datetime,
    reactivated_by    integer REFERENCES members (id),
    reactivate_reason text NOT NULL DEFAULT ''
);
CREATE INDEX departures_member ON departures (member_id, id);
CREATE UNIQUE INDEX departures_open ON departures (member_id) WHERE reactivated_at IS NULL;
INSERT INTO departures (member_id, effects, reason, at, departed_by)
    SELECT r.member_id, r.effects, m.departed_reason, r.at, r.departed_by FROM departure_receipts r JOIN members m ON m.id = r.member_id ORDER BY r.at, r.member_id;
DROP TABLE departure_receipts;

-- What a departure took away, thing by thing, so that each can be handed over or given back.
-- kind: membership, owner, review, content, events, keeper (of chat images), head, code (issued), copy (looked after), super.
CREATE TABLE departure_items (
    departure_id  integer NOT NULL REFERENCES departures (id),
    kind          text NOT NULL,
    object_id     integer NOT NULL, -- a group, a department, a code, a copy; 0 for super
    PRIMARY KEY (departure_id, kind, object_id)
);

-- Who departs is asked what they look after.
CREATE INDEX code_copies_custodian ON code_copies (custodian_id) WHERE custodian_id IS NOT NULL;

-- How each person of a bulk edit fared. results is a JSON array.
CREATE TABLE bulk_edits (
    id            integer PRIMARY KEY AUTOINCREMENT,
    created_by    integer NOT NULL REFERENCES members (id),
    action        text NOT NULL,
    department_id integer,
    results       text NOT NULL,
    at            datetime NOT NULL
);

-- +goose Down
SELECT 1;
