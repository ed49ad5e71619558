-- +goose Up
CREATE INDEX memberships_joined ON memberships (joined_at);

-- +goose Down
SELECT 1;
