-- +goose Up
-- What an applicant said beside name and note, kept with the question as it was asked.
CREATE TABLE request_answers (
    request_id bigint NOT NULL REFERENCES join_requests (id),
    position   integer NOT NULL,
    field_key  text NOT NULL,
    label      text NOT NULL,
    kind       text NOT NULL,
    value      text NOT NULL,
    PRIMARY KEY (request_id, position)
);

-- What a group asks of who wants in. One row per group that asks anything; groups.asks says that there is one.
CREATE TABLE group_asking (
    group_id bigint PRIMARY KEY REFERENCES groups (id),
    invite     boolean NOT NULL DEFAULT false,
    last4      boolean NOT NULL DEFAULT false,
    question   text NOT NULL DEFAULT '',
    answers    text NOT NULL DEFAULT '',
    domains    text NOT NULL DEFAULT '',
    fields     text NOT NULL DEFAULT '',
    next_key   integer NOT NULL DEFAULT 1,
    version    integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    updated_by bigint REFERENCES members (id)
);
ALTER TABLE groups ADD COLUMN asks boolean NOT NULL DEFAULT false;

-- How one code differs from its group: '' is as the group. own_asks names what is asked (+) or not asked (-) here.
ALTER TABLE codes ADD COLUMN own_mode text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN own_asks text NOT NULL DEFAULT '';

-- Invite codes. Only hashes are stored; the list is derived anew from the batch's seed and the secret key.
CREATE TABLE invite_batches (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id bigint NOT NULL REFERENCES groups (id),
    label      text NOT NULL,
    seed       text NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    max_uses   integer NOT NULL CHECK (max_uses > 0),
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by bigint REFERENCES members (id),
    revoked_at timestamptz,
    revoked_by bigint REFERENCES members (id)
);
CREATE INDEX invite_batches_group ON invite_batches (group_id, id);
CREATE TABLE invite_codes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id bigint NOT NULL REFERENCES invite_batches (id),
    number     integer NOT NULL,
    group_id bigint NOT NULL REFERENCES groups (id),
    hash       text NOT NULL UNIQUE,
    max_uses   integer NOT NULL,
    uses       integer NOT NULL DEFAULT 0,
    expires_at timestamptz,
    revoked_at timestamptz,
    UNIQUE (batch_id, number),
    CHECK (uses >= 0 AND uses <= max_uses)
);
CREATE TABLE invite_uses (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invite_id bigint NOT NULL REFERENCES invite_codes (id),
    member_id bigint REFERENCES members (id),
    guest_id bigint REFERENCES guests (id),
    name      text NOT NULL,
    at        timestamptz NOT NULL,
    CHECK ((member_id IS NULL) <> (guest_id IS NULL))
);
CREATE UNIQUE INDEX invite_uses_member ON invite_uses (invite_id, member_id) WHERE member_id IS NOT NULL;
CREATE UNIQUE INDEX invite_uses_guest ON invite_uses (invite_id, guest_id) WHERE guest_id IS NOT NULL;

-- What was typed and not sent yet, sealed.
ALTER TABLE join_sessions ADD COLUMN draft bytea;

-- +goose Down
SELECT 1;
