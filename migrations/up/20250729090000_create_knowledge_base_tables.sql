-- Migration: 20250729090000_create_knowledge_base_tables.sql
-- Description: Creates the knowledge base: documents, history, search index, context cache, permissions and activity log

CREATE TABLE kb_documents (
    path TEXT PRIMARY KEY CHECK (length(path) > 0),
    document JSONB NOT NULL,
    version INTEGER DEFAULT 1 CHECK (version > 0),
    locked_by TEXT,
    locked_until TIMESTAMP,
    created_at TIMESTAMP DEFAULT now(),
    updated_at TIMESTAMP DEFAULT now()
);

CREATE INDEX idx_kb_documents_path ON kb_documents (path text_pattern_ops);
CREATE INDEX idx_kb_documents_version ON kb_documents (version);
CREATE INDEX idx_kb_documents_updated_at ON kb_documents (updated_at DESC);
CREATE INDEX idx_kb_documents_locked_by_locked_until
    ON kb_documents (locked_by, locked_until) WHERE locked_by IS NOT NULL;
CREATE INDEX idx_kb_documents_content
    ON kb_documents USING gin (to_tsvector('english', document ->> 'content'));
CREATE INDEX idx_kb_documents_keywords ON kb_documents USING gin ((document -> 'keywords'));
CREATE INDEX idx_kb_documents_metadata ON kb_documents USING gin ((document -> 'metadata'));

CREATE TABLE kb_document_history (
    id SERIAL PRIMARY KEY,
    path TEXT NOT NULL REFERENCES kb_documents (path) ON DELETE CASCADE,
    version INTEGER NOT NULL CHECK (version > 0),
    document JSONB NOT NULL,
    change_type TEXT NOT NULL CHECK (change_type IN ('create', 'update', 'delete', 'move')),
    changed_by TEXT,
    change_message TEXT,
    created_at TIMESTAMP DEFAULT now()
);

CREATE INDEX idx_kb_document_history_path_version ON kb_document_history (path, version DESC);
CREATE INDEX idx_kb_document_history_changed_by_created_at ON kb_document_history (changed_by, created_at DESC);
CREATE INDEX idx_kb_document_history_created_at ON kb_document_history (created_at DESC);

-- Keeps the text of each version. Taking or giving back a lock changes no text and leaves no row. Deleting a document deletes
-- its history with it (the foreign key), so there is nothing to record then. Who holds the lock is the one who writes.
CREATE FUNCTION record_kb_document_history() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.document = OLD.document AND NEW.version IS NOT DISTINCT FROM OLD.version THEN
        RETURN NULL;
    END IF;
    INSERT INTO kb_document_history (path, version, document, change_type, changed_by)
    VALUES (
        NEW.path,
        coalesce(NEW.version, 1),
        NEW.document,
        CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'update' END,
        coalesce(NEW.locked_by, OLD.locked_by)
    );
    RETURN NULL;
END;
$$;

CREATE TRIGGER trigger_kb_document_updated_at
    BEFORE UPDATE ON kb_documents
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER trigger_kb_document_history
    AFTER INSERT OR UPDATE ON kb_documents
    FOR EACH ROW EXECUTE FUNCTION record_kb_document_history();

CREATE TABLE kb_search_index (
    path TEXT NOT NULL REFERENCES kb_documents (path) ON DELETE CASCADE,
    line_number INTEGER NOT NULL,
    content_excerpt TEXT,
    search_vector TSVECTOR,
    keywords TEXT[],
    created_at TIMESTAMP DEFAULT now(),
    PRIMARY KEY (path, line_number)
);

CREATE INDEX idx_kb_search_index_search_vector ON kb_search_index USING gin (search_vector);
CREATE INDEX idx_kb_search_index_keywords ON kb_search_index USING gin (keywords);

CREATE TABLE kb_context_cache (
    context_name TEXT PRIMARY KEY CHECK (length(context_name) > 0),
    file_paths TEXT[] NOT NULL,
    total_size INTEGER DEFAULT 0,
    keywords TEXT[],
    entities JSONB,
    last_accessed TIMESTAMP DEFAULT now(),
    last_modified TIMESTAMP DEFAULT now(),
    metadata JSONB DEFAULT '{}'
);

CREATE INDEX idx_kb_context_cache_keywords ON kb_context_cache USING gin (keywords);
CREATE INDEX idx_kb_context_cache_last_accessed ON kb_context_cache (last_accessed DESC);

CREATE TABLE kb_permissions (
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

CREATE INDEX idx_kb_permissions_resource_path_resource_type ON kb_permissions (resource_path, resource_type);
CREATE INDEX idx_kb_permissions_principal_id_principal_type ON kb_permissions (principal_id, principal_type);
CREATE INDEX idx_kb_permissions_expires_at ON kb_permissions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE kb_activity_log (
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

CREATE INDEX idx_kb_activity_log_resource_path_action ON kb_activity_log (resource_path, action);
CREATE INDEX idx_kb_activity_log_actor_id_created_at ON kb_activity_log (actor_id, created_at DESC);
CREATE INDEX idx_kb_activity_log_created_at ON kb_activity_log (created_at DESC);
