-- Migration: 20251020090000_index_semantic_chunk_embeddings.sql
-- Description: Drops the index of embeddings

DROP INDEX CONCURRENTLY idx_kb_semantic_chunk_ids_embedding;
