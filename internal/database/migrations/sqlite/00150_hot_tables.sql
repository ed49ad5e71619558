-- +goose Up
-- Room on pages and the price of references are PostgreSQL's matter.
SELECT 1;

-- +goose Down
SELECT 1;
