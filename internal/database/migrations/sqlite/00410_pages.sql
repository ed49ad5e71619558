-- +goose Up
-- A head's days are those of a few departments out of all.
CREATE INDEX day_sums_department ON day_sums (department_id, day);
-- Whether an entry is about a head's departments is told by the index that the page walks along.
DROP INDEX audit_entries_action;
CREATE INDEX audit_entries_action ON audit_entries (action, id, department_path);

-- +goose Down
SELECT 1;
