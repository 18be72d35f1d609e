-- Seed: 003_default_roles.sql
-- Description: The roles that the platform itself knows

-- A role that exists stays as it is.
INSERT INTO roles (name, description, type)
VALUES
    ('super_admin', 'Full system access', 'system'),
    ('admin', 'Administrative access', 'system'),
    ('developer', 'Access to APIs and services', 'system'),
    ('user', 'Standard access', 'system'),
    ('kb_admin', 'Full access to the knowledge base', 'system'),
    ('kb_editor', 'Reads and writes the knowledge base', 'system'),
    ('kb_viewer', 'Reads the knowledge base', 'system')
ON CONFLICT (name) DO NOTHING;
