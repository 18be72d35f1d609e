-- Migration: 20250918090000_create_semantic_index_tables.sql
-- Description: Drops what the semantic index knows of each file and the ids of its chunks

DROP TABLE kb_semantic_chunk_ids;
DROP TABLE kb_semantic_index_metadata;
