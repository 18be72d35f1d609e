-- Migration: 20251006090100_add_embeddings_to_semantic_chunks.sql
-- Description: Drops the text and the embedding of each chunk

ALTER TABLE kb_semantic_chunk_ids
    DROP COLUMN embedding,
    DROP COLUMN chunk_text;
