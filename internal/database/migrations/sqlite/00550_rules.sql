-- +goose Up
-- Rules that decide about requests: the organisation's (group_id NULL) come before a group's; the first that fits decides.
CREATE TABLE decision_rules (
    id         integer PRIMARY KEY AUTOINCREMENT,
    group_id   integer REFERENCES groups (id),
    position   integer NOT NULL,
    name       text NOT NULL,
    any_of     boolean NOT NULL DEFAULT false,
    conditions text NOT NULL,
    verdict    text NOT NULL CHECK (verdict IN ('approve', 'refuse', 'hold')),
    reason     text NOT NULL DEFAULT '',
    enabled    boolean NOT NULL DEFAULT true,
    version    integer NOT NULL DEFAULT 1,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    updated_by integer REFERENCES members (id)
);
CREATE INDEX decision_rules_group ON decision_rules (group_id, position, id);

-- Rosters that rules look people up in. A key is a phone or a job number; who is known by it stays on the list when it changes.
CREATE TABLE rule_lists (
    id         integer PRIMARY KEY AUTOINCREMENT,
    group_id   integer REFERENCES groups (id),
    name       text NOT NULL,
    entries    integer NOT NULL DEFAULT 0,
    updated_at datetime NOT NULL,
    updated_by integer REFERENCES members (id)
);
CREATE INDEX rule_lists_group ON rule_lists (group_id, id);
CREATE TABLE rule_list_entries (
    list_id   integer NOT NULL REFERENCES rule_lists (id),
    kind      text NOT NULL CHECK (kind IN ('phone', 'job')),
    key       text NOT NULL,
    member_id integer REFERENCES members (id),
    PRIMARY KEY (list_id, kind, key)
);
CREATE INDEX rule_list_entries_member ON rule_list_entries (member_id, list_id);
CREATE INDEX rule_list_entries_key ON rule_list_entries (kind, key);

-- Word lists: scope 0 is the organisation's, any other the id of a group.
CREATE TABLE rule_words (
    scope      integer PRIMARY KEY,
    words      text NOT NULL,
    version    integer NOT NULL DEFAULT 1,
    updated_at datetime NOT NULL,
    updated_by integer REFERENCES members (id)
);

-- What the rules said when somebody asked, with the facts that they said it about. The rule may be gone; its name stays.
CREATE TABLE request_rulings (
    request_id    integer PRIMARY KEY REFERENCES join_requests (id),
    at            datetime NOT NULL,
    facts         text NOT NULL,
    verdict       text NOT NULL DEFAULT '',
    rule_id       integer,
    rule_name     text NOT NULL DEFAULT '',
    whose         text NOT NULL DEFAULT '',
    score         integer NOT NULL DEFAULT 0,
    points        text NOT NULL DEFAULT '',
    outcome       text NOT NULL DEFAULT '',
    overturned_at datetime,
    overturned_by integer REFERENCES members (id)
);
CREATE INDEX request_rulings_rule ON request_rulings (rule_id, request_id) WHERE rule_id IS NOT NULL;

-- The last requests of a group, whatever became of them.
CREATE INDEX join_requests_last ON join_requests (group_id, id);

-- +goose Down
SELECT 1;
