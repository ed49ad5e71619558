-- +goose Up
-- Sign-in looks a number up among departed members, too: as fast as any other.
CREATE INDEX members_any_phone ON members (phone);

-- +goose Down
DROP INDEX members_any_phone;
