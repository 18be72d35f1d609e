-- Migration: 20251110090200_make_semantic_metadata_key_composite.sql
-- Description: Makes relative_path alone the primary key of the semantic metadata again

LOCK TABLE kb_semantic_index_metadata, kb_semantic_chunk_ids IN ACCESS EXCLUSIVE MODE;

-- relative_path alone cannot be the key while two namespaces hold the same path. Which of the rows to give up is not for a
-- migration to choose.
DO $$
DECLARE
    collisions bigint;
    examples text;
BEGIN
    SELECT count(*), string_agg(line, E'\n' ORDER BY line) FILTER (WHERE place <= 10)
    INTO collisions, examples
    FROM (
        SELECT
            format('%s: %s', relative_path, string_agg(namespace, ', ' ORDER BY namespace)) AS line,
            row_number() OVER (ORDER BY relative_path) AS place
        FROM kb_semantic_index_metadata
        GROUP BY relative_path
        HAVING count(*) > 1
    ) AS collision;
    IF collisions > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'unique_violation',
            MESSAGE = format('relative_path cannot be the primary key again: %s of them in several namespaces', collisions),
            DETAIL = examples,
            HINT = 'Delete all but one row of each path from kb_semantic_index_metadata (their chunks go, too) and try again.';
    END IF;
END;
$$;

ALTER TABLE kb_semantic_chunk_ids DROP CONSTRAINT kb_semantic_chunk_ids_namespace_relative_path_fkey;

ALTER TABLE kb_semantic_index_metadata DROP CONSTRAINT kb_semantic_index_metadata_pkey;
ALTER TABLE kb_semantic_index_metadata
    ADD CONSTRAINT kb_semantic_index_metadata_pkey PRIMARY KEY (relative_path),
    ADD CONSTRAINT kb_semantic_index_metadata_namespace_check CHECK (namespace IS NOT NULL),
    ALTER COLUMN namespace DROP NOT NULL;

ALTER TABLE kb_semantic_chunk_ids
    ADD CONSTRAINT kb_semantic_chunk_ids_relative_path_fkey
        FOREIGN KEY (relative_path) REFERENCES kb_semantic_index_metadata (relative_path) ON DELETE CASCADE,
    ADD CONSTRAINT kb_semantic_chunk_ids_namespace_check CHECK (namespace IS NOT NULL),
    ALTER COLUMN namespace DROP NOT NULL;
