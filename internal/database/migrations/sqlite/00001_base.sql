-- +goose Up
CREATE TABLE organisation (
    id              integer PRIMARY KEY CHECK (id = 1),
    name            text NOT NULL DEFAULT '',
    timezone        text NOT NULL DEFAULT 'Asia/Shanghai',
    language        text NOT NULL DEFAULT 'zh-CN',
    key_fingerprint text NOT NULL DEFAULT '',
    setup_token_hash text NOT NULL DEFAULT '',
    set_up_at       datetime,
    created_at      datetime NOT NULL
);

-- One row per policy that differs from its default (internal/directory/policy.go).
CREATE TABLE policies (
    name       text PRIMARY KEY,
    value      text NOT NULL,
    updated_at datetime NOT NULL
);

-- path is "/1/4/9/": the ids from the root down to this row, so a subtree is one prefix.
CREATE TABLE departments (
    id         integer PRIMARY KEY AUTOINCREMENT,
    parent_id  integer REFERENCES departments (id),
    name       text NOT NULL,
    path       text NOT NULL,
    depth      integer NOT NULL,
    created_at datetime NOT NULL
);
CREATE UNIQUE INDEX departments_sibling_name ON departments (coalesce(parent_id, 0), lower(name));
CREATE INDEX departments_path ON departments (path);

CREATE TABLE members (
    id              integer PRIMARY KEY AUTOINCREMENT,
    job_number      text,
    name            text NOT NULL,
    phone           text NOT NULL,
    email           text NOT NULL DEFAULT '',
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'departed')),
    super_admin     boolean NOT NULL DEFAULT false,
    password_hash   text NOT NULL DEFAULT '',
    departed_at     datetime,
    departed_by     integer REFERENCES members (id),
    departed_reason text NOT NULL DEFAULT '',
    created_at      datetime NOT NULL,
    updated_at      datetime NOT NULL
);
CREATE UNIQUE INDEX members_phone ON members (phone) WHERE status = 'active';
CREATE UNIQUE INDEX members_job_number ON members (job_number) WHERE status = 'active' AND job_number IS NOT NULL;
CREATE INDEX members_name ON members (name, id);

CREATE TABLE member_departments (
    member_id     integer NOT NULL REFERENCES members (id),
    department_id integer NOT NULL REFERENCES departments (id),
    PRIMARY KEY (member_id, department_id)
);
CREATE INDEX member_departments_department ON member_departments (department_id, member_id);

CREATE TABLE department_heads (
    department_id integer NOT NULL REFERENCES departments (id),
    member_id     integer NOT NULL REFERENCES members (id),
    PRIMARY KEY (department_id, member_id)
);
CREATE INDEX department_heads_member ON department_heads (member_id);

-- Somebody outside the directory who proved a phone number.
CREATE TABLE guests (
    id         integer PRIMARY KEY AUTOINCREMENT,
    name       text NOT NULL,
    phone      text NOT NULL UNIQUE,
    created_at datetime NOT NULL
);

-- Small uploads (upstream QR images): in the database, so every instance has them.
CREATE TABLE files (
    id           integer PRIMARY KEY AUTOINCREMENT,
    sha256       text NOT NULL,
    content_type text NOT NULL,
    content      blob NOT NULL,
    created_at   datetime NOT NULL
);

CREATE TABLE groups (
    id                integer PRIMARY KEY AUTOINCREMENT,
    gid               text NOT NULL UNIQUE,
    name              text NOT NULL,
    type              text NOT NULL CHECK (type IN ('internal', 'external', 'training')),
    origin            text NOT NULL DEFAULT 'admin' CHECK (origin IN ('admin', 'user')),
    department_id     integer NOT NULL REFERENCES departments (id),
    owner_id          integer REFERENCES members (id),
    purpose           text NOT NULL,
    capacity          integer NOT NULL CHECK (capacity > 0),
    member_count      integer NOT NULL DEFAULT 0 CHECK (member_count >= 0),
    join_mode         text NOT NULL DEFAULT 'approval' CHECK (join_mode IN ('open', 'approval', 'restricted', 'off')),
    entry_kind        text NOT NULL DEFAULT 'none' CHECK (entry_kind IN ('none', 'link', 'upstream')),
    entry_url         text NOT NULL DEFAULT '',
    entry_file_id     integer REFERENCES files (id),
    entry_valid_until datetime,
    status            text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disbanded')),
    disbanded_at      datetime,
    disbanded_by      integer REFERENCES members (id),
    disband_reason    text NOT NULL DEFAULT '',
    created_by        integer REFERENCES members (id),
    created_at        datetime NOT NULL,
    updated_at        datetime NOT NULL
);
CREATE INDEX groups_department ON groups (department_id, id);
CREATE INDEX groups_owner ON groups (owner_id);

-- duty: review decides requests, content edits settings, events is a label.
CREATE TABLE group_duties (
    group_id  integer NOT NULL REFERENCES groups (id),
    member_id integer NOT NULL REFERENCES members (id),
    duty      text NOT NULL CHECK (duty IN ('review', 'content', 'events')),
    PRIMARY KEY (group_id, member_id, duty)
);
CREATE INDEX group_duties_member ON group_duties (member_id);

-- Starting values a form offers; data with a written source, never constants in code.
CREATE TABLE group_presets (
    id         integer PRIMARY KEY AUTOINCREMENT,
    name_zh    text NOT NULL,
    name_en    text NOT NULL,
    type       text NOT NULL CHECK (type IN ('internal', 'external', 'training')),
    capacity   integer NOT NULL CHECK (capacity > 0),
    validity   text NOT NULL DEFAULT '7d',
    total_cap  integer NOT NULL DEFAULT 0,
    daily_cap  integer NOT NULL DEFAULT 0,
    source     text NOT NULL,
    sort       integer NOT NULL DEFAULT 0
);

CREATE TABLE codes (
    id            integer PRIMARY KEY AUTOINCREMENT,
    public_id     text NOT NULL UNIQUE,
    group_id      integer NOT NULL REFERENCES groups (id),
    label         text NOT NULL,
    validity      text NOT NULL CHECK (validity IN ('7d', '30d', 'until', 'permanent')),
    valid_from    datetime,
    valid_until   datetime,
    daily_cap     integer NOT NULL DEFAULT 0 CHECK (daily_cap >= 0),
    total_cap     integer NOT NULL DEFAULT 0 CHECK (total_cap >= 0),
    networks      text NOT NULL DEFAULT '',
    audience      text NOT NULL DEFAULT '',
    issued_by     integer NOT NULL REFERENCES members (id),
    issued_at     datetime NOT NULL,
    suspended_at  datetime,
    suspended_by  integer REFERENCES members (id),
    revoked_at    datetime,
    revoked_by    integer REFERENCES members (id),
    revoke_reason text NOT NULL DEFAULT '',
    replaced_by   integer REFERENCES codes (id),
    CHECK (validity = 'permanent' OR valid_until IS NOT NULL)
);
CREATE INDEX codes_group ON codes (group_id, id);
CREATE INDEX codes_issuer ON codes (issued_by);

-- Apart from codes, so that counting a scan never rewrites a code. day is the organisation's date, YYYY-MM-DD.
CREATE TABLE code_counters (
    code_id   integer PRIMARY KEY REFERENCES codes (id),
    total     integer NOT NULL DEFAULT 0,
    day       text NOT NULL DEFAULT '',
    day_total integer NOT NULL DEFAULT 0
);

-- Every scan, refused ones and robots included. code_id is null for an unknown token.
CREATE TABLE scans (
    id           integer PRIMARY KEY AUTOINCREMENT,
    ref          text NOT NULL UNIQUE,
    at           datetime NOT NULL,
    code_id      integer REFERENCES codes (id),
    copy_serial  integer NOT NULL DEFAULT 0,
    outcome      text NOT NULL,
    address      text NOT NULL DEFAULT '',
    visitor      text NOT NULL DEFAULT '',
    device       text NOT NULL DEFAULT '',
    app          text NOT NULL DEFAULT '',
    channel      text NOT NULL DEFAULT '',
    utm_source   text NOT NULL DEFAULT '',
    utm_medium   text NOT NULL DEFAULT '',
    utm_campaign text NOT NULL DEFAULT '',
    member_id    integer REFERENCES members (id),
    guest_id     integer REFERENCES guests (id)
);
CREATE INDEX scans_code ON scans (code_id, at DESC, id DESC);
CREATE INDEX scans_at ON scans (at);

-- What the join cookie points to. scan_id is unique: redeeming a ticket twice cannot insert twice.
CREATE TABLE join_sessions (
    id          integer PRIMARY KEY AUTOINCREMENT,
    secret_hash text NOT NULL UNIQUE,
    scan_id     integer NOT NULL UNIQUE REFERENCES scans (id),
    code_id     integer NOT NULL REFERENCES codes (id),
    phone       text NOT NULL DEFAULT '',
    member_id   integer REFERENCES members (id),
    guest_id    integer REFERENCES guests (id),
    name        text NOT NULL DEFAULT '',
    created_at  datetime NOT NULL,
    expires_at  datetime NOT NULL
);

CREATE TABLE join_requests (
    id          integer PRIMARY KEY AUTOINCREMENT,
    group_id    integer NOT NULL REFERENCES groups (id),
    code_id     integer REFERENCES codes (id),
    scan_id     integer REFERENCES scans (id),
    member_id   integer REFERENCES members (id),
    guest_id    integer REFERENCES guests (id),
    name        text NOT NULL,
    phone       text NOT NULL DEFAULT '',
    note        text NOT NULL DEFAULT '',
    status      text NOT NULL DEFAULT 'pending'
                CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn', 'expired', 'cancelled')),
    created_at  datetime NOT NULL,
    decided_at  datetime,
    decided_by  integer REFERENCES members (id),
    reason      text NOT NULL DEFAULT '',
    CHECK ((member_id IS NULL) <> (guest_id IS NULL))
);
CREATE INDEX join_requests_group ON join_requests (group_id, status, created_at, id);
CREATE INDEX join_requests_pending ON join_requests (created_at, id) WHERE status = 'pending';
CREATE INDEX join_requests_decided ON join_requests (decided_at, id) WHERE status <> 'pending';
CREATE UNIQUE INDEX join_requests_one_member ON join_requests (group_id, member_id) WHERE status = 'pending' AND member_id IS NOT NULL;
CREATE UNIQUE INDEX join_requests_one_guest ON join_requests (group_id, guest_id) WHERE status = 'pending' AND guest_id IS NOT NULL;
CREATE INDEX join_requests_member ON join_requests (member_id);
CREATE INDEX join_requests_guest ON join_requests (guest_id);

CREATE TABLE memberships (
    id           integer PRIMARY KEY AUTOINCREMENT,
    group_id     integer NOT NULL REFERENCES groups (id),
    member_id    integer REFERENCES members (id),
    guest_id     integer REFERENCES guests (id),
    status       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'ended')),
    source       text NOT NULL DEFAULT '',
    code_id      integer REFERENCES codes (id),
    request_id   integer REFERENCES join_requests (id),
    joined_at    datetime NOT NULL,
    ended_at     datetime,
    ended_reason text NOT NULL DEFAULT '',
    CHECK ((member_id IS NULL) <> (guest_id IS NULL))
);
CREATE UNIQUE INDEX memberships_one_member ON memberships (group_id, member_id) WHERE status = 'active' AND member_id IS NOT NULL;
CREATE UNIQUE INDEX memberships_one_guest ON memberships (group_id, guest_id) WHERE status = 'active' AND guest_id IS NOT NULL;
CREATE INDEX memberships_group ON memberships (group_id, id);
CREATE INDEX memberships_member ON memberships (member_id);
CREATE INDEX memberships_guest ON memberships (guest_id);

CREATE TABLE imports (
    id          integer PRIMARY KEY AUTOINCREMENT,
    created_by  integer NOT NULL REFERENCES members (id),
    file_name   text NOT NULL,
    content     blob NOT NULL,
    header      text NOT NULL DEFAULT '',
    state       text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    cause       text NOT NULL DEFAULT '',
    dry_run     boolean NOT NULL,
    rows_total  integer NOT NULL DEFAULT 0,
    rows_done   integer NOT NULL DEFAULT 0,
    created     integer NOT NULL DEFAULT 0,
    changed     integer NOT NULL DEFAULT 0,
    unchanged   integer NOT NULL DEFAULT 0,
    refused     integer NOT NULL DEFAULT 0,
    created_at  datetime NOT NULL,
    finished_at datetime
);

-- One line per refused or changed row of an import. original is the row as JSON array of cells.
CREATE TABLE import_rows (
    import_id  integer NOT NULL REFERENCES imports (id),
    row_number integer NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('created', 'changed', 'refused')),
    field      text NOT NULL DEFAULT '',
    cause      text NOT NULL DEFAULT '',
    original   text NOT NULL DEFAULT '',
    PRIMARY KEY (import_id, row_number)
);

CREATE TABLE approvals (
    id            integer PRIMARY KEY AUTOINCREMENT,
    kind          text NOT NULL,
    payload       text NOT NULL,
    summary       text NOT NULL DEFAULT '',
    department_id integer REFERENCES departments (id),
    status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn', 'expired')),
    requested_by  integer NOT NULL REFERENCES members (id),
    requested_at  datetime NOT NULL,
    expires_at    datetime NOT NULL,
    decided_by    integer REFERENCES members (id),
    decided_at    datetime,
    reason        text NOT NULL DEFAULT '',
    result        text NOT NULL DEFAULT ''
);
CREATE INDEX approvals_status ON approvals (status, id);

CREATE TABLE sessions (
    id_hash      text PRIMARY KEY,
    member_id    integer NOT NULL REFERENCES members (id),
    created_at   datetime NOT NULL,
    last_seen_at datetime NOT NULL,
    expires_at   datetime NOT NULL,
    address      text NOT NULL DEFAULT '',
    user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_member ON sessions (member_id);

CREATE TABLE phone_codes (
    challenge_hash text PRIMARY KEY,
    purpose        text NOT NULL CHECK (purpose IN ('signin', 'join')),
    phone          text NOT NULL,
    code_hash      text NOT NULL,
    member_id      integer REFERENCES members (id),
    attempts       integer NOT NULL DEFAULT 0,
    created_at     datetime NOT NULL,
    expires_at     datetime NOT NULL,
    used_at        datetime
);
CREATE INDEX phone_codes_phone ON phone_codes (phone, purpose);

CREATE TABLE login_links (
    token_hash text PRIMARY KEY,
    member_id  integer NOT NULL REFERENCES members (id),
    created_at datetime NOT NULL,
    expires_at datetime NOT NULL,
    used_at    datetime
);

CREATE TABLE throttles (
    key          text PRIMARY KEY,
    window_start datetime NOT NULL,
    hits         integer NOT NULL
);

-- The first answer to a one-time form, sealed, so that a double tap gets it again.
CREATE TABLE form_keys (
    key_hash   text PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('running', 'done')),
    answer     blob,
    created_at datetime NOT NULL
);
CREATE INDEX form_keys_created ON form_keys (created_at);

CREATE TABLE jobs (
    id           integer PRIMARY KEY AUTOINCREMENT,
    kind         text NOT NULL,
    payload      blob NOT NULL,
    run_at       datetime NOT NULL,
    locked_until datetime,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text NOT NULL DEFAULT '',
    done_at      datetime,
    created_at   datetime NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE done_at IS NULL;

-- Append-only. uid is random and covered by mac, so a copied row gives itself away.
CREATE TABLE audit_entries (
    id              integer PRIMARY KEY AUTOINCREMENT,
    uid             text NOT NULL UNIQUE,
    at              datetime NOT NULL,
    actor_kind      text NOT NULL,
    actor_id        integer NOT NULL DEFAULT 0,
    actor_name      text NOT NULL DEFAULT '',
    action          text NOT NULL,
    object_kind     text NOT NULL DEFAULT '',
    object_id       text NOT NULL DEFAULT '',
    object_name     text NOT NULL DEFAULT '',
    department_path text NOT NULL DEFAULT '',
    outcome         text NOT NULL DEFAULT 'done',
    details         text NOT NULL DEFAULT '{}',
    address         text NOT NULL DEFAULT '',
    device          text NOT NULL DEFAULT '',
    mac             text NOT NULL
);
CREATE INDEX audit_entries_actor ON audit_entries (actor_id, id);
CREATE INDEX audit_entries_action ON audit_entries (action, id);
CREATE INDEX audit_entries_object ON audit_entries (object_kind, object_id, id);
CREATE INDEX audit_entries_at ON audit_entries (at, id);

-- Written with each entry, removed by the sealer in the transaction that seals it.
CREATE TABLE audit_unsealed (
    entry_id integer PRIMARY KEY REFERENCES audit_entries (id)
);

CREATE TABLE audit_seals (
    seq      integer PRIMARY KEY,
    entry_id integer NOT NULL UNIQUE,
    previous text NOT NULL,
    hash     text NOT NULL
);

-- +goose Down
SELECT 1;
