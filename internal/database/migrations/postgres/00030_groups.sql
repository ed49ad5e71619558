-- +goose Up
-- version counts changes of settings, so that a form filled from an older state is refused instead of undoing newer work.
ALTER TABLE groups ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE groups ADD COLUMN updated_by bigint REFERENCES members (id);
-- Who put the present entry in: looking at one's own upload is not a download worth an audit entry.
ALTER TABLE groups ADD COLUMN entry_by bigint REFERENCES members (id);
ALTER TABLE group_presets ADD COLUMN source_en text NOT NULL DEFAULT '';

CREATE INDEX approvals_author ON approvals (requested_by, id);
CREATE INDEX members_super ON members (super_admin) WHERE super_admin AND status = 'active';

INSERT INTO group_presets (name_zh, name_en, type, capacity, validity, total_cap, daily_cap, source, source_en, sort) VALUES
('企业微信内部群', 'WeCom internal group', 'internal', 500, 'permanent', 0, 0, '企业微信群码对比文章：内部群 500 人，可设永久，扫码不限。官方应用建群接口上限 2000（文档 90245），其他文章写 2000 或 10000', 'Article comparing WeCom group codes: internal group 500 people, permanent possible, unlimited scans. The official app chat API allows 2000 (document 90245); other articles say 2000 or 10000', 10),
('内部大群', 'Large internal group', 'internal', 2000, 'permanent', 0, 0, '企业内部群说明：通讯录—群聊入口，仅员工，2000 人；与企业微信文档 90245 一致', 'Guide to company groups: opened from Contacts, staff only, 2000 people; agrees with WeCom document 90245', 20),
('企业微信外部群', 'WeCom external group', 'external', 200, '7d', 100, 0, '企业微信群码对比文章：外部群 200 人，固定 7 天，约 100 次。官方 JS-SDK 上限 500（文档 96930）', 'Article comparing WeCom group codes: external group 200 people, fixed 7 days, about 100 scans. The official JS-SDK allows 500 (document 96930)', 30),
('客户群', 'Customer group', 'external', 500, '7d', 0, 0, '企业内部群说明：工作台—客户群入口，员工与客户，500 人；与企业微信文档 96930 一致', 'Guide to company groups: opened from Workbench, staff and customers, 500 people; agrees with WeCom document 96930', 40),
('个人微信群', 'Personal WeChat group', 'external', 200, '7d', 100, 0, '微信群码对比文章：普通群 200 人，固定 7 天，每码约 100 次；另一篇写 500 人', 'Article comparing WeChat group codes: ordinary group 200 people, fixed 7 days, about 100 scans a code; another says 500 people', 50),
('QQ 群', 'QQ group', 'external', 2000, 'permanent', 0, 0, '群码对比文章：QQ 群码长期有效，扫码不限；人数文章未写，2000 是起始值', 'Article comparing group codes: a QQ code is long-lived with unlimited scans; it names no size, 2000 is a starting value', 60),
('钉钉群', 'DingTalk group', 'internal', 3000, '30d', 0, 0, '群码对比文章：钉钉 30 天，3000 人', 'Article comparing group codes: DingTalk 30 days, 3000 people', 70),
('企业微信大群', 'WeCom group, all staff', 'internal', 10000, 'permanent', 0, 0, '群码对比文章：企业微信永久，10000 人；第三方页面写全员群 10000，官方应用群为 2000', 'Article comparing group codes: WeCom permanent, 10000 people; a third-party page says so of the all-staff group, the official app chat allows 2000', 80),
('培训直播群', 'Training or live session', 'training', 2000, '7d', 0, 0, '企业内部群说明：工作台—培训入口，员工与观众，直播 2000 人', 'Guide to company groups: opened from Workbench, staff and audience, 2000 people for a live session', 90),
('教育版群', 'Education edition group', 'training', 2000, '30d', 0, 0, '群码说明文章：教育版 2000 人，保留历史；有效期文章未写，30 天是起始值', 'Guide to group codes: education edition 2000 members, history kept; it names no validity, 30 days is a starting value', 100);
