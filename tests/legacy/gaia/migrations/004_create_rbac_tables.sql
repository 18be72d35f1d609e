-- RBAC: roles with levels
-- Author: platform team

BEGIN;

CREATE TABLE IF NOT EXISTS roles (
    role_id SERIAL PRIMARY KEY,
    role_name VARCHAR(50) UNIQUE NOT NULL,
    level INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS user_role_assignments (
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id INTEGER NOT NULL REFERENCES roles (role_id) ON DELETE CASCADE,
    assigned_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, role_id)
);

CREATE INDEX IF NOT EXISTS idx_roles_level ON roles (level);

INSERT INTO roles (role_name, level) VALUES ('admin', 100), ('user', 10) ON CONFLICT (role_name) DO NOTHING;

COMMIT;
