-- Migration: 20251006090100_add_embeddings_to_semantic_chunks.sql
-- Description: Keeps the text and the embedding of each chunk in PostgreSQL

-- 384 dimensions, as the sentence model that writes them has. Chunks that exist get theirs when they are next indexed.
ALTER TABLE kb_semantic_chunk_ids
    ADD COLUMN chunk_text TEXT,
    ADD COLUMN embedding vector(384);
