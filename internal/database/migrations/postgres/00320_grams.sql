-- +goose Up
-- The numbers of a department's members, kept whatever a planner believes: with "some row whose status differs" it
-- compared everybody changed with each other (4,000 people cost 16 million looks), and where the statistics were
-- older than the rows it went through all members for each place given. Now members are looked up one by one by
-- their id, and departments are added up before their paths are read.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION tally_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM touched) THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM departments WHERE parent_id IS NULL FOR NO KEY UPDATE;
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION tally_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT id, status FROM present EXCEPT SELECT id, status FROM was) THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM departments WHERE parent_id IS NULL FOR NO KEY UPDATE;
    UPDATE departments d SET members = d.members + c.n FROM (
        SELECT CAST(a.id AS bigint) AS id, CAST(sum(t.n) AS bigint) AS n FROM (
                SELECT md.department_id, sum(CASE x.status WHEN 'active' THEN 1 ELSE -1 END) AS n
                    FROM (SELECT id, status FROM present EXCEPT SELECT id, status FROM was) x
                    CROSS JOIN LATERAL (SELECT department_id FROM member_departments WHERE member_id = x.id OFFSET 0) md GROUP BY 1) t
            JOIN departments p ON p.id = t.department_id
            CROSS JOIN LATERAL unnest(string_to_array(trim(both '/' from p.path), '/')) AS a (id) GROUP BY 1) c
        WHERE d.id = c.id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Job numbers are kept by three characters too, so that one look finds a part of a phone or of a job number:
-- everybody is indexed anew (directory.Reindex).
UPDATE members SET grams = '' WHERE grams <> '';

-- +goose Down
SELECT 1;
