-- +goose Up
-- Codes that were closed by their own join mode, for the list of codes by state.
CREATE INDEX codes_own_off ON codes (id) WHERE own_mode = 'off';

-- +goose Down
SELECT 1;
