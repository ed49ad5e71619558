-- +goose Up
-- What somebody types whose phone cannot scan. Codes from before get theirs when it is first shown.
ALTER TABLE codes ADD COLUMN typed_code text;
CREATE UNIQUE INDEX codes_typed_code ON codes (typed_code);

-- +goose Down
SELECT 1;
