-- +goose Up
-- Between the phone and the code step: the number that was typed, and auth's
-- challenge, sealed, so that the page needs no secret in its address or form.
ALTER TABLE join_sessions ADD COLUMN asked_phone text NOT NULL DEFAULT '';
ALTER TABLE join_sessions ADD COLUMN challenge bytea;

-- +goose Down
SELECT 1;
