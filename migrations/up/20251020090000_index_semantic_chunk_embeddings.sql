-- Migration: 20251020090000_index_semantic_chunk_embeddings.sql
-- Description: Indexes embeddings for nearest neighbours by cosine distance

-- Concurrently: the table is full by now and an HNSW index takes minutes to build, in which chunks are still written.
-- m and ef_construction are pgvector's defaults, written down so that a later default changes nothing here.
CREATE INDEX CONCURRENTLY idx_kb_semantic_chunk_ids_embedding
    ON kb_semantic_chunk_ids USING hnsw (embedding vector_cosine_ops)
    WITH (m = 16, ef_construction = 64);
