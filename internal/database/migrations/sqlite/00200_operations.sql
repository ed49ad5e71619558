-- +goose Up
-- Where a group was created, kept when it is moved; null = where it is. No foreign key: that department may be deleted since.
ALTER TABLE groups ADD COLUMN created_department_id integer;
-- The group that took over the people and codes of this one.
ALTER TABLE groups ADD COLUMN merged_into_id integer REFERENCES groups (id);
-- The stage of its life that somebody chose; '' = as its age and activity say.
ALTER TABLE groups ADD COLUMN stage text NOT NULL DEFAULT '' CHECK (stage IN ('', 'new', 'growing', 'mature', 'winding'));
ALTER TABLE groups ADD COLUMN stage_by integer REFERENCES members (id);
ALTER TABLE groups ADD COLUMN stage_at datetime;
CREATE INDEX memberships_group_joined ON memberships (group_id, joined_at);
CREATE INDEX codes_fallback_group ON codes (fallback_group_id) WHERE fallback_group_id IS NOT NULL;

-- Codes that followed the people of a group into another one.
CREATE TABLE code_moves (
    code_id       integer NOT NULL REFERENCES codes (id),
    from_group_id integer NOT NULL REFERENCES groups (id),
    to_group_id   integer NOT NULL REFERENCES groups (id),
    at            datetime NOT NULL,
    PRIMARY KEY (from_group_id, code_id)
);

-- What of a stage's checklist is done.
CREATE TABLE group_checks (
    group_id integer NOT NULL REFERENCES groups (id),
    item     text NOT NULL,
    done_by  integer REFERENCES members (id),
    done_at  datetime NOT NULL,
    PRIMARY KEY (group_id, item)
);

-- The groups that somebody has selected for one action.
CREATE TABLE group_picks (
    member_id integer NOT NULL REFERENCES members (id),
    group_id  integer NOT NULL REFERENCES groups (id),
    PRIMARY KEY (member_id, group_id)
);

-- Many groups created or changed with one press. A draft waits for its author's word and is done once.
CREATE TABLE group_batches (
    id         integer PRIMARY KEY AUTOINCREMENT,
    kind       text NOT NULL,
    state      text NOT NULL CHECK (state IN ('draft', 'done')),
    params     text NOT NULL DEFAULT '{}',
    created_by integer NOT NULL REFERENCES members (id),
    created_at datetime NOT NULL,
    done_at    datetime
);
CREATE INDEX group_batches_author ON group_batches (created_by, id);

-- content is what the row asks for, cause why it was refused (both JSON).
CREATE TABLE group_batch_rows (
    batch_id   integer NOT NULL REFERENCES group_batches (id),
    row_number integer NOT NULL,
    name       text NOT NULL,
    content    text NOT NULL DEFAULT '',
    group_id   integer REFERENCES groups (id),
    outcome    text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'same', 'refused')),
    cause      text NOT NULL DEFAULT '',
    PRIMARY KEY (batch_id, row_number)
);

-- +goose Down
SELECT 1;
