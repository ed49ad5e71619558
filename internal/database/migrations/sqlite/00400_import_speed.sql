-- +goose Up
-- An import counts its people once for all: while a row stands here the trigger leaves departments.members alone. It
-- stands only inside the transaction that counts itself, and nobody else writes meanwhile.
CREATE TABLE tally_paused (
    id integer PRIMARY KEY
);
DROP TRIGGER member_departments_in;
-- +goose StatementBegin
CREATE TRIGGER member_departments_in AFTER INSERT ON member_departments
WHEN NOT EXISTS (SELECT 1 FROM tally_paused) AND (SELECT status FROM members WHERE id = NEW.member_id) = 'active' BEGIN
    UPDATE departments SET members = members + 1 WHERE id IN (SELECT value FROM
        json_each('[' || replace(trim((SELECT path FROM departments WHERE id = NEW.department_id), '/'), '/', ',') || ']'));
END;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
