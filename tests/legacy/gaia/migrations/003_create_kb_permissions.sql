-- Who may do what in the knowledge base, and who did what

CREATE TABLE IF NOT EXISTS kb_permissions (
    id SERIAL PRIMARY KEY,
    resource_path TEXT NOT NULL,
    resource_type TEXT NOT NULL DEFAULT 'file'
        CHECK (resource_type IN ('file', 'directory', 'context')),
    principal_id TEXT NOT NULL,
    principal_type TEXT NOT NULL DEFAULT 'user'
        CHECK (principal_type IN ('user', 'team', 'public')),
    permissions TEXT[] NOT NULL DEFAULT ARRAY['read']
        CHECK (permissions <@ ARRAY['read', 'write', 'share', 'admin']),
    granted_by TEXT,
    granted_at TIMESTAMP DEFAULT now(),
    expires_at TIMESTAMP,
    UNIQUE (resource_path, principal_id, principal_type)
);

CREATE INDEX IF NOT EXISTS idx_kb_permissions_resource_path_resource_type ON kb_permissions (resource_path, resource_type);
CREATE INDEX IF NOT EXISTS idx_kb_permissions_principal_id_principal_type ON kb_permissions (principal_id, principal_type);
CREATE INDEX IF NOT EXISTS idx_kb_permissions_expires_at ON kb_permissions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS kb_activity_log (
    id SERIAL PRIMARY KEY,
    action TEXT NOT NULL
        CHECK (action IN ('create', 'read', 'update', 'delete', 'search', 'share', 'move')),
    resource_path TEXT,
    resource_type TEXT DEFAULT 'file',
    actor_id TEXT,
    actor_type TEXT DEFAULT 'user',
    details JSONB DEFAULT '{}',
    ip_address INET,
    user_agent TEXT,
    created_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_kb_activity_log_resource_path_action ON kb_activity_log (resource_path, action);
CREATE INDEX IF NOT EXISTS idx_kb_activity_log_actor_id_created_at ON kb_activity_log (actor_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_kb_activity_log_created_at ON kb_activity_log (created_at DESC);
