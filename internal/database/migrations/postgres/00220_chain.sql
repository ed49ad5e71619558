-- +goose Up
-- The trail only grows. A trigger refuses what no right should allow; the
-- application's role needs no more than SELECT and INSERT on these tables.
-- +goose StatementBegin
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail only grows: % of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_entries_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER audit_seals_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();

-- What waits for its seal leaves the queue by being sealed, and in no other way.
CREATE TRIGGER audit_unsealed_only_grow BEFORE UPDATE OR TRUNCATE ON audit_unsealed
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
-- +goose StatementBegin
CREATE FUNCTION audit_sealed_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_seals WHERE entry_id = OLD.entry_id) THEN
        RAISE EXCEPTION 'the audit trail only grows: entry % is not sealed yet', OLD.entry_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_unsealed_sealed_first BEFORE DELETE ON audit_unsealed
    FOR EACH ROW EXECUTE FUNCTION audit_sealed_first();

-- Heads of the chain as this installation signed them, every so many entries.
CREATE TABLE audit_checkpoints (
    size bigint PRIMARY KEY,
    head text NOT NULL,
    at   timestamptz NOT NULL,
    note text NOT NULL
);
CREATE TRIGGER audit_checkpoints_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();

-- How far the running server has verified the chain: one row, authenticated by its mac.
CREATE TABLE audit_verified (
    id           bigint PRIMARY KEY,
    tip_seq      bigint NOT NULL DEFAULT 0,
    tip_hash     text NOT NULL DEFAULT '',
    tip_at       timestamptz,
    pass_seq     bigint NOT NULL DEFAULT 0,
    pass_hash    text NOT NULL DEFAULT '',
    pass_began   timestamptz,
    whole_seq    bigint NOT NULL DEFAULT 0,
    whole_at     timestamptz,
    broken_seq   bigint NOT NULL DEFAULT 0,
    broken_entry bigint NOT NULL DEFAULT 0,
    broken_cause text NOT NULL DEFAULT '',
    broken_entry_at timestamptz,
    broken_at    timestamptz,
    mac          text NOT NULL
);

-- For the filters of the trail's page, each newest first.
CREATE INDEX audit_entries_place ON audit_entries (department_path COLLATE "C", id);
CREATE INDEX audit_entries_named ON audit_entries (object_kind, object_name COLLATE "C", object_id);
CREATE INDEX audit_entries_outcome ON audit_entries (outcome, id) WHERE outcome <> 'done';

-- +goose Down
SELECT 1;
