-- +goose Up
-- A large import leaves its people to the indexer behind it (directory.RunIndex): who is not indexed yet has no entry
-- in the index at all. A search says so too, or it is not served by it.
DROP INDEX members_grams;
CREATE INDEX members_grams ON members USING gin (string_to_array(grams, ' ')) WITH (gin_pending_list_limit = 256) WHERE grams <> '';

-- Written once, read a page at a time and dropped: packing them costs more than it saves.
ALTER TABLE import_lines ALTER COLUMN lines SET STORAGE EXTERNAL;

-- Looking each place's department up again was half the cost of giving places to many. The trigger, which reads the
-- departments anyhow, looks at all of a statement at once, and a department with people in it is not deleted. Both hold
-- the root, so neither misses the other.
ALTER TABLE member_departments DROP CONSTRAINT member_departments_department_id_fkey;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION tally_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM touched) THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM departments WHERE parent_id IS NULL FOR NO KEY UPDATE;
    IF TG_OP = 'INSERT' AND EXISTS (SELECT department_id FROM touched EXCEPT SELECT id FROM departments WHERE id IN (SELECT department_id FROM touched)) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a member is put into a department that is not there', TABLE = 'member_departments';
    END IF;
    UPDATE departments d SET members = d.members + CASE TG_OP WHEN 'INSERT' THEN c.n ELSE -c.n END FROM (
        SELECT CAST(a.id AS bigint) AS id, CAST(sum(t.n) AS bigint) AS n FROM (
                SELECT x.department_id, count(*) AS n FROM touched x
                    WHERE (SELECT m.status FROM members m WHERE m.id = x.member_id) = 'active' GROUP BY 1) t
            JOIN departments p ON p.id = t.department_id
            CROSS JOIN LATERAL unnest(string_to_array(trim(both '/' from p.path), '/')) AS a (id) GROUP BY 1) c
        WHERE d.id = c.id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
ALTER FUNCTION tally_places() SET plan_cache_mode = 'force_custom_plan';
-- +goose StatementBegin
CREATE FUNCTION keep_inhabited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM departments WHERE parent_id IS NULL FOR NO KEY UPDATE;
    IF EXISTS (SELECT 1 FROM member_departments WHERE department_id = OLD.id) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a department with members is deleted', TABLE = 'departments';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER departments_inhabited BEFORE DELETE ON departments FOR EACH ROW EXECUTE FUNCTION keep_inhabited();
-- +goose StatementBegin
CREATE FUNCTION keep_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE foreign_key_violation USING MESSAGE = 'a place is given and taken, never rewritten', TABLE = TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER member_departments_kept BEFORE UPDATE ON member_departments FOR EACH STATEMENT EXECUTE FUNCTION keep_places();
CREATE TRIGGER departments_ids_kept BEFORE UPDATE OF id ON departments FOR EACH STATEMENT EXECUTE FUNCTION keep_places();

-- +goose Down
SELECT 1;
