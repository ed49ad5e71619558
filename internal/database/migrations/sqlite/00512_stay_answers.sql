-- +goose Up
-- What somebody said who went in at once, without a request.
CREATE TABLE stay_answers (
    membership_id integer NOT NULL REFERENCES memberships (id),
    position      integer NOT NULL,
    field_key     text NOT NULL,
    label         text NOT NULL,
    kind          text NOT NULL,
    value         text NOT NULL,
    PRIMARY KEY (membership_id, position)
);

-- +goose Down
SELECT 1;
