-- +goose Up
-- What somebody who waits for a decision added later, and since when they had waited for a seat before the request.
ALTER TABLE join_requests ADD COLUMN addition text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN added_at timestamptz;
ALTER TABLE join_requests ADD COLUMN waited_since timestamptz;
CREATE INDEX live_answered ON join_requests (group_id, decided_at, id) WHERE status IN ('approved', 'rejected') AND decided_by IS NOT NULL;
CREATE INDEX live_answered_anywhere ON join_requests (decided_at, id) WHERE status IN ('approved', 'rejected') AND decided_by IS NOT NULL;

-- for_seat: who came by a scan that was let through, found the group full, and so takes the next seat.
ALTER TABLE waiting_list ADD COLUMN for_seat boolean NOT NULL DEFAULT false;
CREATE INDEX live_waiting ON waiting_list (group_id, id) WHERE ended_at IS NULL AND for_seat;

-- +goose StatementBegin
CREATE FUNCTION tell_seat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM waiting_list w WHERE w.group_id = NEW.id AND w.ended_at IS NULL) THEN
        INSERT INTO events (kind, group_id, at) VALUES ('group.seat', NEW.id, now());
        PERFORM pg_notify('doorplate_events', '');
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER groups_tell_seat AFTER UPDATE OF member_count, capacity, join_mode ON groups FOR EACH ROW
    WHEN (NEW.member_count < NEW.capacity AND (NEW.capacity - NEW.member_count > OLD.capacity - OLD.member_count OR NEW.join_mode <> OLD.join_mode))
    EXECUTE FUNCTION tell_seat();

-- +goose StatementBegin
CREATE FUNCTION tell_disbanded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (kind, group_id, actor_id, at) VALUES ('group.disbanded', NEW.id, NEW.disbanded_by, coalesce(NEW.disbanded_at, now()));
    PERFORM pg_notify('doorplate_events', '');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER groups_tell_disbanded AFTER UPDATE OF status ON groups FOR EACH ROW
    WHEN (OLD.status = 'active' AND NEW.status <> 'active') EXECUTE FUNCTION tell_disbanded();

-- +goose StatementBegin
CREATE FUNCTION tell_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (kind, group_id, member_id, guest_id, code_id, data, at)
    VALUES (CASE WHEN NEW.ended_at IS NULL THEN 'waiting.joined' ELSE 'waiting.ended' END, NEW.group_id, NEW.member_id, NEW.guest_id, NEW.code_id, NEW.ended_how,
        coalesce(NEW.ended_at, NEW.created_at));
    PERFORM pg_notify('doorplate_events', '');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER waiting_list_tell_joined AFTER INSERT ON waiting_list FOR EACH ROW EXECUTE FUNCTION tell_waiting();
CREATE TRIGGER waiting_list_tell_ended AFTER UPDATE OF ended_at ON waiting_list FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION tell_waiting();

-- +goose Down
SELECT 1;
