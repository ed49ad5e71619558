-- +goose Up
CREATE INDEX codes_replaced_by ON codes (replaced_by) WHERE replaced_by IS NOT NULL;

-- +goose Down
SELECT 1;
