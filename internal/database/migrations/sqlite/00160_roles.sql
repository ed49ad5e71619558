-- +goose Up
-- A custom role is a named set of rights. Its rows name every right it brings, those included that the others imply.
CREATE TABLE roles (
    id         integer PRIMARY KEY AUTOINCREMENT,
    name       text NOT NULL UNIQUE,
    version    integer NOT NULL DEFAULT 1,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE TABLE role_rights (
    role_id    integer NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    right_name text NOT NULL,
    PRIMARY KEY (role_id, right_name)
);
-- Who holds a role for which department, with all below it.
CREATE TABLE role_grants (
    id            integer PRIMARY KEY AUTOINCREMENT,
    role_id       integer NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    member_id     integer NOT NULL REFERENCES members (id),
    department_id integer NOT NULL REFERENCES departments (id),
    granted_by    integer NOT NULL REFERENCES members (id),
    granted_at    datetime NOT NULL,
    UNIQUE (role_id, member_id, department_id)
);
CREATE INDEX role_grants_member ON role_grants (member_id, department_id);
CREATE INDEX role_grants_department ON role_grants (department_id);

-- Who has a head's rights in a department while all its heads are absent.
CREATE TABLE department_deputies (
    department_id integer NOT NULL REFERENCES departments (id),
    member_id     integer NOT NULL REFERENCES members (id),
    PRIMARY KEY (department_id, member_id)
);
CREATE INDEX department_deputies_member ON department_deputies (member_id);

-- When a member is away: the newest one announced. What follows from it is derived at each request.
CREATE TABLE absences (
    member_id integer PRIMARY KEY REFERENCES members (id),
    starts_at datetime NOT NULL,
    ends_at   datetime NOT NULL,
    set_by    integer NOT NULL REFERENCES members (id),
    set_at    datetime NOT NULL
);

-- +goose Down
DROP TABLE absences;
DROP TABLE department_deputies;
DROP TABLE role_grants;
DROP TABLE role_rights;
DROP TABLE roles;
