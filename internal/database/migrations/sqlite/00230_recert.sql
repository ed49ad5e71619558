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

-- +goose Down
SELECT 1;
