-- Migration: 20250918090000_create_semantic_index_tables.sql
-- Description: Creates what the semantic index knows of each file and the ids of its chunks

CREATE TABLE kb_semantic_index_metadata (
    relative_path TEXT PRIMARY KEY,
    namespace TEXT,
    mtime REAL NOT NULL,
    num_chunks INTEGER NOT NULL,
    last_indexed TIMESTAMP NOT NULL DEFAULT now(),
    created_at TIMESTAMP NOT NULL DEFAULT now()
);

CREATE INDEX idx_kb_semantic_index_metadata_last_indexed ON kb_semantic_index_metadata (last_indexed);

CREATE TABLE kb_semantic_chunk_ids (
    id SERIAL PRIMARY KEY,
    relative_path TEXT NOT NULL REFERENCES kb_semantic_index_metadata (relative_path) ON DELETE CASCADE,
    chunk_id TEXT UNIQUE NOT NULL,
    chunk_index INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT now()
);

CREATE INDEX idx_kb_semantic_chunk_ids_relative_path ON kb_semantic_chunk_ids (relative_path);
CREATE INDEX idx_kb_semantic_chunk_ids_relative_path_chunk_index ON kb_semantic_chunk_ids (relative_path, chunk_index);

-- Two indexes that others already serve (the one above and the UNIQUE constraint's), as in the databases that are in use.
CREATE INDEX idx_kb_semantic_chunk_ids_relative_path1 ON kb_semantic_chunk_ids (relative_path);
CREATE INDEX idx_kb_semantic_chunk_ids_chunk_id ON kb_semantic_chunk_ids (chunk_id);
