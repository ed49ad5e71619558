-- +goose Up
-- Codes whose issuer may have lost the right to issue them. Whatever can take that right away adds a row, looking closely
-- takes it away again: a list then asks of few codes what their state depends on. Rows are only added and deleted, so that
-- nobody waits for anybody; a code may have several.
CREATE TABLE code_doubts (
    id      integer PRIMARY KEY AUTOINCREMENT,
    code_id integer NOT NULL
);
CREATE INDEX code_doubts_code ON code_doubts (code_id);
INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE revoked_at IS NULL;
-- +goose StatementBegin
CREATE TRIGGER codes_doubted AFTER INSERT ON codes BEGIN
    INSERT INTO code_doubts (code_id) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER codes_doubted_again AFTER UPDATE OF validity, issued_by, group_id, revoked_at ON codes
    WHEN OLD.validity <> NEW.validity OR OLD.issued_by <> NEW.issued_by OR OLD.group_id <> NEW.group_id OR OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL BEGIN
    INSERT INTO code_doubts (code_id) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER groups_doubted AFTER UPDATE OF type, origin, owner_id, department_id ON groups
    WHEN OLD.type <> NEW.type OR OLD.origin <> NEW.origin OR OLD.owner_id IS NOT NEW.owner_id OR OLD.department_id <> NEW.department_id BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE group_id = NEW.id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER members_doubted AFTER UPDATE OF status, super_admin ON members WHEN OLD.status <> NEW.status OR OLD.super_admin <> NEW.super_admin BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = NEW.id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER department_heads_changed_doubted AFTER UPDATE ON department_heads BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = OLD.member_id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER department_heads_ended_doubted AFTER DELETE ON department_heads BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = OLD.member_id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER department_deputies_changed_doubted AFTER UPDATE ON department_deputies BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = OLD.member_id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER department_deputies_ended_doubted AFTER DELETE ON department_deputies BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = OLD.member_id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER role_grants_changed_doubted AFTER UPDATE ON role_grants BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = OLD.member_id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER role_grants_ended_doubted AFTER DELETE ON role_grants BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE issued_by = OLD.member_id AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER role_rights_changed_doubted AFTER UPDATE ON role_rights BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE revoked_at IS NULL AND issued_by IN (SELECT member_id FROM role_grants WHERE role_id = OLD.role_id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER role_rights_ended_doubted AFTER DELETE ON role_rights BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE revoked_at IS NULL AND issued_by IN (SELECT member_id FROM role_grants WHERE role_id = OLD.role_id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER departments_doubted AFTER UPDATE OF path ON departments WHEN OLD.path <> NEW.path BEGIN
    INSERT INTO code_doubts (code_id) SELECT c.id FROM codes c JOIN groups g ON g.id = c.group_id WHERE c.revoked_at IS NULL AND g.department_id = NEW.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policies_changed_doubted AFTER UPDATE ON policies WHEN OLD.name = 'external_permanent' BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE validity = 'permanent' AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policies_ended_doubted AFTER DELETE ON policies WHEN OLD.name = 'external_permanent' BEGIN
    INSERT INTO code_doubts (code_id) SELECT id FROM codes WHERE validity = 'permanent' AND revoked_at IS NULL;
END;
-- +goose StatementEnd
-- What else keeps a code from working, each found by itself.
CREATE INDEX lists_codes_suspended ON codes (id) WHERE suspended_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX lists_codes_starting ON codes (valid_from) WHERE valid_from IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX lists_codes_hours ON codes (id) WHERE hours <> '' AND revoked_at IS NULL;
CREATE INDEX lists_codes_capped ON codes (id) WHERE (total_cap > 0 OR daily_cap > 0) AND revoked_at IS NULL;
CREATE INDEX lists_groups_off ON groups (id) WHERE join_mode = 'off' AND status = 'active';
-- The newest round in which a head went through the group, so that a page need not look for its mark.
ALTER TABLE groups ADD COLUMN confirmed_round integer NOT NULL DEFAULT 0;
UPDATE groups SET confirmed_round = coalesce((SELECT max(k.round_id) FROM recert_marks k WHERE k.group_id = groups.id AND k.kind = 'group' AND k.item_id = 0), 0);
CREATE INDEX lists_groups_confirmed ON groups (confirmed_round, id) WHERE status = 'active';
-- +goose StatementBegin
CREATE TRIGGER recert_marks_noted AFTER INSERT ON recert_marks WHEN NEW.kind = 'group' AND NEW.item_id = 0 BEGIN
    UPDATE groups SET confirmed_round = NEW.round_id WHERE id = NEW.group_id AND confirmed_round < NEW.round_id;
END;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
