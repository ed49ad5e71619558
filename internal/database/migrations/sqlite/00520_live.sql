-- +goose Up
-- What somebody who waits for a decision added later, and since when they had waited for a seat before the request.
ALTER TABLE join_requests ADD COLUMN addition text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN added_at datetime;
ALTER TABLE join_requests ADD COLUMN waited_since datetime;
CREATE INDEX live_answered ON join_requests (group_id, decided_at, id) WHERE status IN ('approved', 'rejected') AND decided_by IS NOT NULL;
CREATE INDEX live_answered_anywhere ON join_requests (decided_at, id) WHERE status IN ('approved', 'rejected') AND decided_by IS NOT NULL;

-- for_seat: who came by a scan that was let through, found the group full, and so takes the next seat.
ALTER TABLE waiting_list ADD COLUMN for_seat boolean NOT NULL DEFAULT false;
CREATE INDEX live_waiting ON waiting_list (group_id, id) WHERE ended_at IS NULL AND for_seat;

-- +goose StatementBegin
CREATE TRIGGER groups_tell_seat AFTER UPDATE OF member_count, capacity, join_mode ON groups
    WHEN NEW.member_count < NEW.capacity AND (NEW.capacity - NEW.member_count > OLD.capacity - OLD.member_count OR NEW.join_mode <> OLD.join_mode)
        AND EXISTS (SELECT 1 FROM waiting_list w WHERE w.group_id = NEW.id AND w.ended_at IS NULL) BEGIN
    INSERT INTO events (kind, group_id, at) VALUES ('group.seat', NEW.id, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER groups_tell_disbanded AFTER UPDATE OF status ON groups WHEN OLD.status = 'active' AND NEW.status <> 'active' BEGIN
    INSERT INTO events (kind, group_id, actor_id, at)
    VALUES ('group.disbanded', NEW.id, NEW.disbanded_by, coalesce(NEW.disbanded_at, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_list_tell_joined AFTER INSERT ON waiting_list BEGIN
    INSERT INTO events (kind, group_id, member_id, guest_id, code_id, data, at)
    VALUES ('waiting.joined', NEW.group_id, NEW.member_id, NEW.guest_id, NEW.code_id, NEW.ended_how, NEW.created_at);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_list_tell_ended AFTER UPDATE OF ended_at ON waiting_list WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL BEGIN
    INSERT INTO events (kind, group_id, member_id, guest_id, code_id, data, at)
    VALUES ('waiting.ended', NEW.group_id, NEW.member_id, NEW.guest_id, NEW.code_id, NEW.ended_how, NEW.ended_at);
END;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
