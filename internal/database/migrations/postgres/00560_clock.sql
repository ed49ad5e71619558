-- +goose Up
-- When a request is to be decided, and what time has done to it since. clock_step: 0 nothing yet, 1 reminded before,
-- 2 reminded when due, 3 with the heads of a department above, 4 with the super admins. step_at is when the next is due.
ALTER TABLE join_requests ADD COLUMN due_at timestamptz;
ALTER TABLE join_requests ADD COLUMN clock_step integer NOT NULL DEFAULT 0;
ALTER TABLE join_requests ADD COLUMN step_at timestamptz;
ALTER TABLE join_requests ADD COLUMN escalated_at timestamptz;
ALTER TABLE join_requests ADD COLUMN escalated_to bigint REFERENCES departments (id);
CREATE INDEX join_requests_step ON join_requests (step_at, id) WHERE status = 'pending' AND step_at IS NOT NULL;
CREATE INDEX join_requests_due ON join_requests (due_at, id) WHERE status = 'pending' AND due_at IS NOT NULL;
-- A group's own hours until a request is due; 0 = as the organisation.
ALTER TABLE groups ADD COLUMN due_hours integer NOT NULL DEFAULT 0;

-- +goose Down
SELECT 1;
