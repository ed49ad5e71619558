-- +goose Up
-- The trail only grows. INSERT OR REPLACE deletes without asking the triggers
-- for DELETE, so it is refused where it begins.
-- +goose StatementBegin
CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: UPDATE of audit_entries is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: DELETE of audit_entries is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_seals_no_update BEFORE UPDATE ON audit_seals BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: UPDATE of audit_seals is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: DELETE of audit_seals is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_entries_no_replace BEFORE INSERT ON audit_entries WHEN EXISTS (SELECT 1 FROM audit_entries WHERE id = NEW.id OR uid = NEW.uid) BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: REPLACE in audit_entries is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_seals_no_replace BEFORE INSERT ON audit_seals WHEN EXISTS (SELECT 1 FROM audit_seals WHERE seq = NEW.seq OR entry_id = NEW.entry_id) BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: REPLACE in audit_seals is refused');
END;
-- +goose StatementEnd

-- What waits for its seal leaves the queue by being sealed, and in no other way.
-- +goose StatementBegin
CREATE TRIGGER audit_unsealed_no_update BEFORE UPDATE ON audit_unsealed BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: UPDATE of audit_unsealed is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_unsealed_sealed_first BEFORE DELETE ON audit_unsealed
    WHEN NOT EXISTS (SELECT 1 FROM audit_seals WHERE entry_id = OLD.entry_id) BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: an entry is not sealed yet');
END;
-- +goose StatementEnd

-- Heads of the chain as this installation signed them, every so many entries.
CREATE TABLE audit_checkpoints (
    size integer PRIMARY KEY,
    head text NOT NULL,
    at   datetime NOT NULL,
    note text NOT NULL
);
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: UPDATE of audit_checkpoints is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: DELETE of audit_checkpoints is refused');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoints_no_replace BEFORE INSERT ON audit_checkpoints WHEN EXISTS (SELECT 1 FROM audit_checkpoints WHERE size = NEW.size) BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows: REPLACE in audit_checkpoints is refused');
END;
-- +goose StatementEnd

-- How far the running server has verified the chain: one row, authenticated by its mac.
CREATE TABLE audit_verified (
    id           integer PRIMARY KEY,
    tip_seq      integer NOT NULL DEFAULT 0,
    tip_hash     text NOT NULL DEFAULT '',
    tip_at       datetime,
    pass_seq     integer NOT NULL DEFAULT 0,
    pass_hash    text NOT NULL DEFAULT '',
    pass_began   datetime,
    whole_seq    integer NOT NULL DEFAULT 0,
    whole_at     datetime,
    broken_seq   integer NOT NULL DEFAULT 0,
    broken_entry integer NOT NULL DEFAULT 0,
    broken_cause text NOT NULL DEFAULT '',
    broken_entry_at datetime,
    broken_at    datetime,
    mac          text NOT NULL
);

-- For the filters of the trail's page, each newest first.
CREATE INDEX audit_entries_place ON audit_entries (department_path, id);
CREATE INDEX audit_entries_named ON audit_entries (object_kind, object_name, object_id);
CREATE INDEX audit_entries_outcome ON audit_entries (outcome, id) WHERE outcome <> 'done';

-- +goose Down
SELECT 1;
