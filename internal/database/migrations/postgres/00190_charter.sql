-- +goose Up
-- What a group is for its members, beyond who gets in.
ALTER TABLE groups ADD COLUMN announcement boolean NOT NULL DEFAULT false;
ALTER TABLE groups ADD COLUMN tier text NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN welcome text NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN real_name boolean NOT NULL DEFAULT false;
ALTER TABLE groups ADD COLUMN ask_company boolean NOT NULL DEFAULT false;
ALTER TABLE groups ADD COLUMN members_invite boolean NOT NULL DEFAULT false;
ALTER TABLE groups ADD COLUMN archive boolean NOT NULL DEFAULT false;
-- The version of the rules in force, 0 for none, and the oldest one that still counts as accepted.
ALTER TABLE groups ADD COLUMN rules_version integer NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN rules_due integer NOT NULL DEFAULT 0;
UPDATE groups SET archive = true WHERE type = 'external';
CREATE INDEX groups_tier ON groups (tier, id) WHERE tier <> '';

CREATE TABLE group_rules (
    id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    group_id   bigint NOT NULL REFERENCES groups (id),
    version    integer NOT NULL CHECK (version > 0),
    text       text NOT NULL,
    hash       text NOT NULL,
    ask_again  boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    created_by bigint REFERENCES members (id),
    UNIQUE (group_id, version)
);

-- Evidence: who agreed to which text, when. Rows are only ever added.
CREATE TABLE rule_acceptances (
    id        bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    group_id  bigint NOT NULL REFERENCES groups (id),
    rules_id  bigint NOT NULL REFERENCES group_rules (id),
    version   integer NOT NULL,
    hash      text NOT NULL,
    member_id bigint REFERENCES members (id),
    guest_id  bigint REFERENCES guests (id),
    name      text NOT NULL,
    address   text NOT NULL DEFAULT '',
    at        timestamptz NOT NULL,
    CHECK ((member_id IS NULL) <> (guest_id IS NULL))
);
CREATE UNIQUE INDEX rule_acceptances_member ON rule_acceptances (member_id, rules_id) WHERE member_id IS NOT NULL;
CREATE UNIQUE INDEX rule_acceptances_guest ON rule_acceptances (guest_id, rules_id) WHERE guest_id IS NOT NULL;
CREATE INDEX rule_acceptances_group ON rule_acceptances (group_id, id);

ALTER TABLE join_requests ADD COLUMN rules_version integer NOT NULL DEFAULT 0;
ALTER TABLE join_requests ADD COLUMN real_name boolean NOT NULL DEFAULT false;
ALTER TABLE join_requests ADD COLUMN company text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN proposed_by bigint REFERENCES members (id);
ALTER TABLE memberships ADD COLUMN rules_version integer NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN ended_by bigint REFERENCES members (id);

-- +goose Down
SELECT 1;
