-- +goose Up
-- A decision writes a new version of its request, and that goes into every index there is. Thirty grams a request are
-- sorted in when a megabyte of them has come together, and not eight times as often.
ALTER INDEX queue_sought SET (gin_pending_list_limit = 1024);
-- A guest has no place among the members, and the other way round.
DROP INDEX join_requests_member;
DROP INDEX join_requests_guest;
CREATE INDEX join_requests_member ON join_requests (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX join_requests_guest ON join_requests (guest_id) WHERE guest_id IS NOT NULL;
DROP INDEX memberships_member;
DROP INDEX memberships_guest;
CREATE INDEX memberships_member ON memberships (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX memberships_guest ON memberships (guest_id) WHERE guest_id IS NOT NULL;
-- join_requests_decided is the same with the expired ones.
DROP INDEX live_answered_anywhere;

-- +goose Down
SELECT 1;
