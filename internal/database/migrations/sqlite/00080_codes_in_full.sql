-- +goose Up
-- Terms. hours is empty (always open) or one character per quarter of an hour of the
-- organisation's week from Monday 00:00, 672 in all: '1' open, '0' closed.
-- audience (departments), audience_roles and audience_people are alternatives: fitting one of them is enough.
ALTER TABLE codes ADD COLUMN hours text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN audience_roles text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN audience_people text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN password_hash text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN benefit text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN validity_fixed boolean NOT NULL DEFAULT false;
-- What happens to a visitor whom the code's own limits turn away.
ALTER TABLE codes ADD COLUMN fallback text NOT NULL DEFAULT 'message' CHECK (fallback IN ('message', 'redirect', 'group', 'waiting'));
ALTER TABLE codes ADD COLUMN fallback_url text NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN fallback_group_id integer REFERENCES groups (id);
-- A live code: one print, several groups behind it.
ALTER TABLE codes ADD COLUMN route text NOT NULL DEFAULT 'one' CHECK (route IN ('one', 'order', 'least', 'department', 'weight'));
-- Refreshing keeps the print and starts a new generation: new validity, counters from zero.
ALTER TABLE codes ADD COLUMN generation integer NOT NULL DEFAULT 1;
ALTER TABLE codes ADD COLUMN refreshed_at datetime;
ALTER TABLE codes ADD COLUMN version integer NOT NULL DEFAULT 1;

ALTER TABLE group_presets ADD COLUMN validity_fixed boolean NOT NULL DEFAULT false;
ALTER TABLE organisation ADD COLUMN logo_file_id integer REFERENCES files (id);

-- The groups behind a live code, in order. department_id is the rule 'department', weight the rule 'weight'.
CREATE TABLE code_targets (
    code_id       integer NOT NULL REFERENCES codes (id),
    group_id      integer NOT NULL REFERENCES groups (id),
    position      integer NOT NULL,
    weight        integer NOT NULL DEFAULT 1 CHECK (weight > 0),
    department_id integer REFERENCES departments (id),
    PRIMARY KEY (code_id, group_id)
);
CREATE INDEX code_targets_group ON code_targets (group_id);

-- What a code was before it was refreshed.
CREATE TABLE code_generations (
    code_id     integer NOT NULL REFERENCES codes (id),
    generation  integer NOT NULL,
    valid_from  datetime,
    valid_until datetime,
    scans       integer NOT NULL,
    ended_at    datetime NOT NULL,
    ended_by    integer REFERENCES members (id),
    reason      text NOT NULL DEFAULT '',
    PRIMARY KEY (code_id, generation)
);

-- Where a scan came from, beside the printed copy.
CREATE TABLE code_channels (
    id           integer PRIMARY KEY AUTOINCREMENT,
    code_id      integer NOT NULL REFERENCES codes (id),
    name         text NOT NULL,
    utm_source   text NOT NULL DEFAULT '',
    utm_medium   text NOT NULL DEFAULT '',
    utm_campaign text NOT NULL DEFAULT '',
    created_by   integer REFERENCES members (id),
    created_at   datetime NOT NULL
);
CREATE UNIQUE INDEX code_channels_name ON code_channels (code_id, lower(name));

-- Numbered printed copies: serial stands in the token, so one lost poster can be revoked alone.
-- printed_as is what stood on the paper (JSON), to tell a stale print. scans and last_scan_at are kept by the scan batch.
CREATE TABLE code_copies (
    id            integer PRIMARY KEY AUTOINCREMENT,
    code_id       integer NOT NULL REFERENCES codes (id),
    serial        integer NOT NULL CHECK (serial BETWEEN 1 AND 262143),
    channel_id    integer REFERENCES code_channels (id),
    place         text NOT NULL DEFAULT '',
    custodian     text NOT NULL DEFAULT '',
    custodian_id  integer REFERENCES members (id),
    photo_file_id integer REFERENCES files (id),
    typed_code    text UNIQUE,
    printed_at    datetime,
    printed_as    text NOT NULL DEFAULT '',
    revoked_at    datetime,
    revoked_by    integer REFERENCES members (id),
    revoke_reason text NOT NULL DEFAULT '',
    removed_at    datetime,
    removed_by    integer REFERENCES members (id),
    scans         integer NOT NULL DEFAULT 0,
    last_scan_at  datetime,
    created_by    integer REFERENCES members (id),
    created_at    datetime NOT NULL
);
CREATE UNIQUE INDEX code_copies_serial ON code_copies (code_id, serial);

-- One row per code and day of the organisation, written in the scan's own transaction. h00..h23 count live scans
-- by hour, the device and app columns count live scans, refused counts what was turned away, bots previews and robots.
CREATE TABLE scan_days (
    code_id integer NOT NULL REFERENCES codes (id),
    day     text NOT NULL,
    live    integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    bots    integer NOT NULL DEFAULT 0,
    mobile  integer NOT NULL DEFAULT 0,
    tablet  integer NOT NULL DEFAULT 0,
    desktop integer NOT NULL DEFAULT 0,
    wechat  integer NOT NULL DEFAULT 0,
    wecom   integer NOT NULL DEFAULT 0,
    h00 integer NOT NULL DEFAULT 0, h01 integer NOT NULL DEFAULT 0, h02 integer NOT NULL DEFAULT 0, h03 integer NOT NULL DEFAULT 0,
    h04 integer NOT NULL DEFAULT 0, h05 integer NOT NULL DEFAULT 0, h06 integer NOT NULL DEFAULT 0, h07 integer NOT NULL DEFAULT 0,
    h08 integer NOT NULL DEFAULT 0, h09 integer NOT NULL DEFAULT 0, h10 integer NOT NULL DEFAULT 0, h11 integer NOT NULL DEFAULT 0,
    h12 integer NOT NULL DEFAULT 0, h13 integer NOT NULL DEFAULT 0, h14 integer NOT NULL DEFAULT 0, h15 integer NOT NULL DEFAULT 0,
    h16 integer NOT NULL DEFAULT 0, h17 integer NOT NULL DEFAULT 0, h18 integer NOT NULL DEFAULT 0, h19 integer NOT NULL DEFAULT 0,
    h20 integer NOT NULL DEFAULT 0, h21 integer NOT NULL DEFAULT 0, h22 integer NOT NULL DEFAULT 0, h23 integer NOT NULL DEFAULT 0,
    PRIMARY KEY (code_id, day)
);

-- The funnel by where people came from. day is the day of the scan; later steps are added to that day, so a row is a cohort.
CREATE TABLE scan_funnel (
    code_id     integer NOT NULL REFERENCES codes (id),
    day         text NOT NULL,
    channel     text NOT NULL DEFAULT '',
    copy_serial integer NOT NULL DEFAULT 0,
    live        integer NOT NULL DEFAULT 0,
    identified  integer NOT NULL DEFAULT 0,
    requested   integer NOT NULL DEFAULT 0,
    joined      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (code_id, day, channel, copy_serial)
);

-- A series grows: when its newest group reaches threshold per cent of its capacity, the next numbered one is made.
CREATE TABLE group_series (
    id         integer PRIMARY KEY AUTOINCREMENT,
    base_name  text NOT NULL,
    threshold  integer NOT NULL CHECK (threshold BETWEEN 1 AND 100),
    next_no    integer NOT NULL,
    created_by integer REFERENCES members (id),
    created_at datetime NOT NULL
);
ALTER TABLE groups ADD COLUMN series_id integer REFERENCES group_series (id);
ALTER TABLE groups ADD COLUMN series_no integer;
CREATE UNIQUE INDEX groups_series ON groups (series_id, series_no) WHERE series_id IS NOT NULL;

-- The images of a chat that only gives out codes which die after some days: the current one and the spares, by position.
-- Which one is current is derived: the first that is neither dead nor past its date nor used up.
ALTER TABLE groups ADD COLUMN entry_custodian_id integer REFERENCES members (id);
CREATE TABLE entry_images (
    id          integer PRIMARY KEY AUTOINCREMENT,
    group_id    integer NOT NULL REFERENCES groups (id),
    file_id     integer NOT NULL REFERENCES files (id),
    url         text NOT NULL,
    position    integer NOT NULL,
    valid_until datetime NOT NULL,
    max_uses    integer NOT NULL DEFAULT 0 CHECK (max_uses >= 0),
    uses        integer NOT NULL DEFAULT 0,
    added_by    integer REFERENCES members (id),
    added_at    datetime NOT NULL,
    dead_at     datetime,
    dead_by     integer REFERENCES members (id),
    dead_reason text NOT NULL DEFAULT ''
);
CREATE INDEX entry_images_group ON entry_images (group_id, position, id);
-- Who has been shown which image; a person counts once. Those who were let in while no image worked have image_id null.
CREATE TABLE entry_shown (
    membership_id integer PRIMARY KEY REFERENCES memberships (id),
    group_id      integer NOT NULL REFERENCES groups (id),
    image_id      integer REFERENCES entry_images (id),
    at            datetime NOT NULL
);
CREATE INDEX entry_shown_waiting ON entry_shown (group_id, at) WHERE image_id IS NULL;

-- People who wait for a seat, or for a code to open.
CREATE TABLE waiting_list (
    id         integer PRIMARY KEY AUTOINCREMENT,
    group_id   integer NOT NULL REFERENCES groups (id),
    code_id    integer REFERENCES codes (id),
    scan_id    integer REFERENCES scans (id),
    member_id  integer REFERENCES members (id),
    guest_id   integer REFERENCES guests (id),
    name       text NOT NULL,
    phone      text NOT NULL DEFAULT '',
    created_at datetime NOT NULL,
    ended_at   datetime,
    ended_how  text NOT NULL DEFAULT '' CHECK (ended_how IN ('', 'left', 'in', 'removed', 'over')),
    CHECK ((member_id IS NULL) <> (guest_id IS NULL))
);
CREATE INDEX waiting_list_group ON waiting_list (group_id, id) WHERE ended_at IS NULL;
CREATE INDEX waiting_list_scan ON waiting_list (scan_id);
CREATE UNIQUE INDEX waiting_list_one_member ON waiting_list (group_id, member_id) WHERE ended_at IS NULL AND member_id IS NOT NULL;
CREATE UNIQUE INDEX waiting_list_one_guest ON waiting_list (group_id, guest_id) WHERE ended_at IS NULL AND guest_id IS NOT NULL;

-- group_id: which of a live code's groups this visit is for; null = the code's own. password_ok: the code's password was right.
ALTER TABLE join_sessions ADD COLUMN group_id integer REFERENCES groups (id);
ALTER TABLE join_sessions ADD COLUMN password_ok boolean NOT NULL DEFAULT false;
-- Where the person came from, kept when the scan itself is deleted.
ALTER TABLE join_requests ADD COLUMN channel text NOT NULL DEFAULT '';
ALTER TABLE join_requests ADD COLUMN copy_serial integer NOT NULL DEFAULT 0;
CREATE INDEX join_requests_scan ON join_requests (scan_id);
CREATE INDEX join_requests_code ON join_requests (code_id, created_at);
CREATE INDEX memberships_code ON memberships (code_id, joined_at);

-- A large set of files being drawn: the worker takes running rows whose lease is over.
CREATE TABLE print_runs (
    id          integer PRIMARY KEY AUTOINCREMENT,
    created_by  integer NOT NULL REFERENCES members (id),
    params      text NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    cause       text NOT NULL DEFAULT '',
    done        integer NOT NULL DEFAULT 0,
    total       integer NOT NULL DEFAULT 0,
    file_id     integer REFERENCES files (id),
    file_name   text NOT NULL DEFAULT '',
    lease_until datetime,
    created_at  datetime NOT NULL,
    finished_at datetime
);
CREATE INDEX print_runs_creator ON print_runs (created_by, id);
CREATE INDEX print_runs_running ON print_runs (id) WHERE state = 'running';

-- +goose Down
SELECT 1;
