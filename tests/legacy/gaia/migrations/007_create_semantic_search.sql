-- Semantic search with pgvector
-- Needs the extension vector: https://github.com/pgvector/pgvector

CREATE EXTENSION IF NOT EXISTS vector;

BEGIN;

CREATE TABLE IF NOT EXISTS kb_semantic_index_metadata (
    relative_path TEXT PRIMARY KEY,
    namespace TEXT,
    mtime REAL NOT NULL,
    num_chunks INTEGER NOT NULL,
    last_indexed TIMESTAMP NOT NULL DEFAULT now(),
    created_at TIMESTAMP NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_kb_semantic_index_metadata_last_indexed ON kb_semantic_index_metadata (last_indexed);

CREATE TABLE IF NOT EXISTS kb_semantic_chunk_ids (
    id SERIAL PRIMARY KEY,
    relative_path TEXT NOT NULL REFERENCES kb_semantic_index_metadata (relative_path) ON DELETE CASCADE,
    chunk_id TEXT UNIQUE NOT NULL,
    chunk_index INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_relative_path ON kb_semantic_chunk_ids (relative_path);
CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_relative_path_chunk_index ON kb_semantic_chunk_ids (relative_path, chunk_index);

-- Two indexes that others already serve (the one above and the UNIQUE constraint's), as in the databases that are in use.
CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_relative_path1 ON kb_semantic_chunk_ids (relative_path);
CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_chunk_id ON kb_semantic_chunk_ids (chunk_id);

ALTER TABLE kb_semantic_chunk_ids ADD COLUMN IF NOT EXISTS chunk_text TEXT;
ALTER TABLE kb_semantic_chunk_ids ADD COLUMN IF NOT EXISTS embedding vector(384);

CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_embedding
    ON kb_semantic_chunk_ids USING hnsw (embedding vector_cosine_ops)
    WITH (m = 16, ef_construction = 64);

COMMIT;

SELECT extversion FROM pg_extension WHERE extname = 'vector';
SELECT count(*) AS chunks FROM kb_semantic_chunk_ids;
