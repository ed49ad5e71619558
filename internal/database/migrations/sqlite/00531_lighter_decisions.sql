-- +goose Up
-- A decision goes into every index of the requests there is. A guest has no place among the members, and the other way round.
DROP INDEX join_requests_member;
DROP INDEX join_requests_guest;
CREATE INDEX join_requests_member ON join_requests (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX join_requests_guest ON join_requests (guest_id) WHERE guest_id IS NOT NULL;

-- +goose Down
SELECT 1;
