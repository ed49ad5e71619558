-- +goose Up
-- Who changed the terms last, for a form that was filled from older ones.
ALTER TABLE codes ADD COLUMN terms_by integer REFERENCES members (id);
ALTER TABLE codes ADD COLUMN terms_at datetime;
-- false: the scan was turned away and the visit is only good for waiting, as long as the code does not live.
ALTER TABLE join_sessions ADD COLUMN scan_live boolean NOT NULL DEFAULT true;
-- The sources say of these two that their seven days cannot be moved.
UPDATE group_presets SET validity_fixed = true WHERE name_zh IN ('企业微信外部群', '个人微信群');

-- +goose Down
SELECT 1;
