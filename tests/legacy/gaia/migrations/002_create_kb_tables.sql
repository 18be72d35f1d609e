-- Knowledge base in PostgreSQL
-- Created: 2025-07-29

BEGIN;

CREATE TABLE IF NOT EXISTS kb_documents (
    path TEXT PRIMARY KEY CHECK (length(path) > 0),
    document JSONB NOT NULL,
    version INTEGER DEFAULT 1 CHECK (version > 0),
    locked_by TEXT,
    locked_until TIMESTAMP,
    created_at TIMESTAMP DEFAULT now(),
    updated_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_kb_documents_path ON kb_documents (path text_pattern_ops);
CREATE INDEX IF NOT EXISTS idx_kb_documents_version ON kb_documents (version);
CREATE INDEX IF NOT EXISTS idx_kb_documents_updated_at ON kb_documents (updated_at DESC);
CREATE INDEX IF NOT EXISTS idx_kb_documents_locked_by_locked_until
    ON kb_documents (locked_by, locked_until) WHERE locked_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_kb_documents_content
    ON kb_documents USING gin (to_tsvector('english', document ->> 'content'));
CREATE INDEX IF NOT EXISTS idx_kb_documents_keywords ON kb_documents USING gin ((document -> 'keywords'));
CREATE INDEX IF NOT EXISTS idx_kb_documents_metadata ON kb_documents USING gin ((document -> 'metadata'));

CREATE TABLE IF NOT EXISTS kb_document_history (
    id SERIAL PRIMARY KEY,
    path TEXT NOT NULL REFERENCES kb_documents (path) ON DELETE CASCADE,
    version INTEGER NOT NULL CHECK (version > 0),
    document JSONB NOT NULL,
    change_type TEXT NOT NULL CHECK (change_type IN ('create', 'update', 'delete', 'move')),
    changed_by TEXT,
    change_message TEXT,
    created_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_kb_document_history_path_version ON kb_document_history (path, version DESC);
CREATE INDEX IF NOT EXISTS idx_kb_document_history_changed_by_created_at ON kb_document_history (changed_by, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_kb_document_history_created_at ON kb_document_history (created_at DESC);

-- Keeps the text of each version. Taking or giving back a lock changes no text and leaves no row. Deleting a document deletes
-- its history with it (the foreign key), so there is nothing to record then. Who holds the lock is the one who writes.
CREATE OR REPLACE FUNCTION record_kb_document_history() RETURNS trigger
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

DROP TRIGGER IF EXISTS trigger_kb_document_updated_at ON kb_documents;
CREATE TRIGGER trigger_kb_document_updated_at
    BEFORE UPDATE ON kb_documents
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

DROP TRIGGER IF EXISTS trigger_kb_document_history ON kb_documents;
CREATE TRIGGER trigger_kb_document_history
    AFTER INSERT OR UPDATE ON kb_documents
    FOR EACH ROW EXECUTE FUNCTION record_kb_document_history();

CREATE TABLE IF NOT EXISTS kb_search_index (
    path TEXT NOT NULL REFERENCES kb_documents (path) ON DELETE CASCADE,
    line_number INTEGER NOT NULL,
    content_excerpt TEXT,
    search_vector TSVECTOR,
    keywords TEXT[],
    created_at TIMESTAMP DEFAULT now(),
    PRIMARY KEY (path, line_number)
);

CREATE INDEX IF NOT EXISTS idx_kb_search_index_search_vector ON kb_search_index USING gin (search_vector);
CREATE INDEX IF NOT EXISTS idx_kb_search_index_keywords ON kb_search_index USING gin (keywords);

CREATE TABLE IF NOT EXISTS kb_context_cache (
    context_name TEXT PRIMARY KEY CHECK (length(context_name) > 0),
    file_paths TEXT[] NOT NULL,
    total_size INTEGER DEFAULT 0,
    keywords TEXT[],
    entities JSONB,
    last_accessed TIMESTAMP DEFAULT now(),
    last_modified TIMESTAMP DEFAULT now(),
    metadata JSONB DEFAULT '{}'
);

CREATE INDEX IF NOT EXISTS idx_kb_context_cache_keywords ON kb_context_cache USING gin (keywords);
CREATE INDEX IF NOT EXISTS idx_kb_context_cache_last_accessed ON kb_context_cache (last_accessed DESC);

COMMIT;

-- Check that all tables are there
SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'kb\_%' ORDER BY table_name;
SELECT count(*) AS documents FROM kb_documents;
