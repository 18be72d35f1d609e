-- Migration: 20251110090200_make_semantic_metadata_key_composite.sql
-- Description: Makes (namespace, relative_path) the primary key of the semantic metadata

-- Third of four. No chunk is read under the strong lock: the checks that the file before validated prove that there is no NULL
-- (https://www.postgresql.org/docs/current/sql-altertable.html, SET NOT NULL), and the foreign key comes unvalidated.
-- The metadata has one row for each file, so its new key is built at once.
LOCK TABLE kb_semantic_index_metadata, kb_semantic_chunk_ids IN ACCESS EXCLUSIVE MODE;

ALTER TABLE kb_semantic_index_metadata ALTER COLUMN namespace SET NOT NULL;
ALTER TABLE kb_semantic_chunk_ids ALTER COLUMN namespace SET NOT NULL;

ALTER TABLE kb_semantic_chunk_ids
    DROP CONSTRAINT kb_semantic_chunk_ids_namespace_check,
    DROP CONSTRAINT kb_semantic_chunk_ids_relative_path_fkey;

ALTER TABLE kb_semantic_index_metadata
    DROP CONSTRAINT kb_semantic_index_metadata_namespace_check,
    DROP CONSTRAINT kb_semantic_index_metadata_pkey,
    ADD CONSTRAINT kb_semantic_index_metadata_pkey PRIMARY KEY (namespace, relative_path);

ALTER TABLE kb_semantic_chunk_ids
    ADD CONSTRAINT kb_semantic_chunk_ids_namespace_relative_path_fkey
        FOREIGN KEY (namespace, relative_path)
        REFERENCES kb_semantic_index_metadata (namespace, relative_path) ON DELETE CASCADE NOT VALID;
