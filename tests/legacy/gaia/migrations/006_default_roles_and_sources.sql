-- Default data: roles, asset sources, the administrator

INSERT INTO users (email, name) VALUES ('admin@gaia.dev', 'Gaia Administrator') ON CONFLICT (email) DO NOTHING;

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

INSERT INTO asset_sources (source_type, source_name)
SELECT source_type, source_name
FROM (
    VALUES
        ('open_source', 'poly_haven'),
        ('open_source', 'freesound'),
        ('open_source', 'opengameart'),
        ('community', 'community_uploads'),
        ('generated', 'meshy_ai'),
        ('generated', 'midjourney')
) AS source (source_type, source_name)
WHERE NOT EXISTS (SELECT FROM asset_sources AS known WHERE known.source_name = source.source_name);
