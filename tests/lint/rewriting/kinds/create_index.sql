-- == setup
CREATE TABLE books (id int PRIMARY KEY, title text, "Page Count" int);
-- == up
-- Migration: 20250601000000_replaced.sql
-- Description: Find books by title

-- Titles are searched by their beginning.
CREATE UNIQUE INDEX books_title_idx ON public.books USING btree (lower(title) text_pattern_ops DESC, ("Page Count" + 1))
    INCLUDE (id) NULLS NOT DISTINCT WITH (fillfactor = 80) WHERE title <> '';
-- == down
-- Description: Undo: find books by title

DROP INDEX public.books_title_idx;
-- == findings
@1
-- == safe up: replaced
-- Migration: 20250601000000_replaced.sql
-- Description: Find books by title

-- Titles are searched by their beginning.
CREATE UNIQUE INDEX CONCURRENTLY books_title_idx ON public.books USING btree (lower(title) text_pattern_ops DESC, ("Page Count" + 1))
    INCLUDE (id) NULLS NOT DISTINCT WITH (fillfactor = 80) WHERE title <> '';
-- == safe down
-- Description: Undo: find books by title

DROP INDEX CONCURRENTLY public.books_title_idx;
