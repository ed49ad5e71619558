-- +goose Up
-- A round in which heads confirm who is in their groups and which codes lead there. It is open from opens_at; what is not
-- confirmed by due_at stands still from then on: that follows from these two tables and the clock, nothing is written for it.
-- A closed round decides nothing any more. from_at is what a planned round's date was counted from.
CREATE TABLE recert_rounds (
    id         integer PRIMARY KEY AUTOINCREMENT,
    from_at    datetime NOT NULL,
    opens_at   datetime NOT NULL,
    due_at     datetime NOT NULL,
    closed     boolean NOT NULL DEFAULT false,
    started_by integer REFERENCES members (id),
    moved_by   integer REFERENCES members (id),
    moved_at   datetime,
    CHECK (due_at > opens_at)
);
CREATE INDEX recert_rounds_standing ON recert_rounds (due_at) WHERE NOT closed;
-- What was decided: kind group (item_id 0) ends the pass through a group and confirms all in it; member (a membership) and
-- code are single lines. members and codes are how many a pass confirmed.
CREATE TABLE recert_marks (
    id        integer PRIMARY KEY AUTOINCREMENT,
    round_id  integer NOT NULL REFERENCES recert_rounds (id),
    group_id  integer NOT NULL REFERENCES groups (id),
    kind      text NOT NULL CHECK (kind IN ('group', 'member', 'code')),
    item_id   integer NOT NULL DEFAULT 0,
    decision  text NOT NULL DEFAULT 'confirm' CHECK (decision IN ('confirm', 'remove')),
    members   integer NOT NULL DEFAULT 0,
    codes     integer NOT NULL DEFAULT 0,
    marked_by integer NOT NULL REFERENCES members (id),
    marked_at datetime NOT NULL
);
CREATE UNIQUE INDEX recert_marks_item ON recert_marks (group_id, kind, item_id, round_id);
CREATE INDEX recert_marks_passes ON recert_marks (round_id, id) WHERE kind = 'group';

-- Lists at scale. Codes that live, and those with a date, apart from the many that ended.
CREATE INDEX scale_codes_living ON codes (id) WHERE revoked_at IS NULL;
CREATE INDEX scale_codes_ended ON codes (id) WHERE revoked_at IS NOT NULL;
CREATE INDEX scale_codes_until ON codes (valid_until) WHERE revoked_at IS NULL AND valid_until IS NOT NULL;
CREATE INDEX scale_groups_ended ON groups (id) WHERE status <> 'active';
CREATE INDEX scale_groups_upstream ON groups (id) WHERE entry_kind = 'upstream';
CREATE INDEX scale_groups_type ON groups (type, id) WHERE status = 'active';
CREATE INDEX scale_members_departed ON members (departed_at) WHERE status = 'departed';
CREATE INDEX scale_memberships_left ON memberships (group_id, id) WHERE status = 'ended';
-- Scans and joins of a day that is over, by department (0: all of them), so that a chart of a month adds up few rows.
CREATE TABLE day_sums (
    day           text NOT NULL,
    department_id integer NOT NULL,
    scans         integer NOT NULL,
    joined        integer NOT NULL,
    PRIMARY KEY (day, department_id)
);
-- Prints that may say something wrong: whatever changes what stands on paper sets the mark, looking closely takes it away.
ALTER TABLE code_copies ADD COLUMN doubtful boolean NOT NULL DEFAULT true;
CREATE INDEX code_copies_doubtful ON code_copies (code_id) WHERE doubtful AND removed_at IS NULL;
-- +goose StatementBegin
CREATE TRIGGER organisation_prints AFTER UPDATE OF name ON organisation WHEN OLD.name <> NEW.name BEGIN
    UPDATE code_copies SET doubtful = true WHERE removed_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER groups_prints AFTER UPDATE OF name, department_id, status ON groups
    WHEN OLD.name <> NEW.name OR OLD.department_id <> NEW.department_id OR OLD.status <> NEW.status BEGIN
    UPDATE code_copies SET doubtful = true WHERE removed_at IS NULL AND code_id IN (SELECT id FROM codes WHERE group_id = NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER codes_prints AFTER UPDATE OF valid_until, revoked_at, replaced_by, group_id ON codes
    WHEN OLD.valid_until IS NOT NEW.valid_until OR OLD.revoked_at IS NOT NEW.revoked_at OR OLD.replaced_by IS NOT NEW.replaced_by OR OLD.group_id <> NEW.group_id BEGIN
    UPDATE code_copies SET doubtful = true WHERE removed_at IS NULL AND code_id = NEW.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER code_copies_prints AFTER UPDATE OF revoked_at ON code_copies WHEN OLD.revoked_at IS NOT NEW.revoked_at BEGIN
    UPDATE code_copies SET doubtful = true WHERE id = NEW.id;
END;
-- +goose StatementEnd
-- A new name concerns everything below; a move writes every row that it concerns.
-- +goose StatementBegin
CREATE TRIGGER departments_named AFTER UPDATE OF name ON departments WHEN OLD.name <> NEW.name BEGIN
    UPDATE code_copies SET doubtful = true WHERE removed_at IS NULL AND code_id IN (SELECT c.id FROM codes c JOIN groups g ON g.id = c.group_id
        JOIN departments d ON d.id = g.department_id WHERE d.path LIKE NEW.path || '%');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER departments_moved AFTER UPDATE OF path ON departments WHEN OLD.path <> NEW.path BEGIN
    UPDATE code_copies SET doubtful = true WHERE removed_at IS NULL AND code_id IN (SELECT c.id FROM codes c JOIN groups g ON g.id = c.group_id WHERE g.department_id = NEW.id);
END;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
