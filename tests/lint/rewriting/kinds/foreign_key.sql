-- == setup
CREATE TABLE authors (id int PRIMARY KEY);
CREATE TABLE poems (id int PRIMARY KEY, author_id int);
-- == up
ALTER TABLE poems
    -- Written later than the poem.
    ADD COLUMN note text,
    -- Each poem has an author.
    ADD FOREIGN KEY (author_id) REFERENCES authors ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
-- == down
ALTER TABLE poems DROP CONSTRAINT poems_author_id_fkey, DROP COLUMN note;
-- == findings
@1:1
-- == safe up: replaced
ALTER TABLE poems
    -- Written later than the poem.
    ADD COLUMN note text;
-- == safe down
ALTER TABLE poems DROP COLUMN note;
-- == safe up: create_poems_author_id_idx
-- Description: Create poems_author_id_idx

-- Each poem has an author.
CREATE INDEX CONCURRENTLY poems_author_id_idx ON poems (author_id);
-- == safe down
-- Description: Undo: create poems_author_id_idx

DROP INDEX CONCURRENTLY poems_author_id_idx;
-- == safe up: add_poems_author_id_fkey
-- Description: Add poems_author_id_fkey

ALTER TABLE poems ADD CONSTRAINT poems_author_id_fkey FOREIGN KEY (author_id) REFERENCES authors ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;
-- == safe down
-- Description: Undo: add poems_author_id_fkey

ALTER TABLE poems DROP CONSTRAINT poems_author_id_fkey;
-- == safe up: validate_poems_author_id_fkey
-- Description: Validate poems_author_id_fkey

ALTER TABLE poems VALIDATE CONSTRAINT poems_author_id_fkey;
-- == safe down
-- Description: Undo: validate poems_author_id_fkey

ALTER TABLE poems DROP CONSTRAINT poems_author_id_fkey;
ALTER TABLE poems ADD CONSTRAINT poems_author_id_fkey FOREIGN KEY (author_id) REFERENCES authors ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;
