-- == setup
CREATE TABLE teams (id int PRIMARY KEY);
CREATE TABLE players (id serial PRIMARY KEY, team_id int NOT NULL DEFAULT 1 REFERENCES teams, name text);
CREATE INDEX players_team_idx ON players (team_id, lower(name));
ALTER TABLE players ADD CONSTRAINT in_team CHECK (team_id > 0), ADD UNIQUE (name, team_id);
-- == up
ALTER TABLE players ALTER COLUMN team_id TYPE bigint;
-- == down
ALTER TABLE players ALTER COLUMN team_id TYPE int;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE players ADD COLUMN team_id_new bigint;
ALTER TABLE players ADD CONSTRAINT players_team_id_new_not_null_check CHECK (team_id_new IS NOT NULL) NOT VALID;
ALTER TABLE players ADD CONSTRAINT in_team_new CHECK ((team_id_new > 0)) NOT VALID;

CREATE FUNCTION zz_players_team_id_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.team_id_new := NEW.team_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_players_team_id_copy BEFORE INSERT OR UPDATE ON players
    FOR EACH ROW EXECUTE FUNCTION zz_players_team_id_copy();
-- == safe down
DROP TRIGGER zz_players_team_id_copy ON players;
DROP FUNCTION zz_players_team_id_copy();
ALTER TABLE players DROP COLUMN team_id_new;
-- == safe up: add_players_team_id_fkey_new
-- Description: Add players_team_id_fkey_new

ALTER TABLE players ADD CONSTRAINT players_team_id_fkey_new FOREIGN KEY (team_id_new) REFERENCES public.teams(id) NOT VALID;
-- == safe down
-- Description: Undo: add players_team_id_fkey_new

ALTER TABLE players DROP CONSTRAINT players_team_id_fkey_new;
-- == safe up: fill_team_id_new_of_players
-- Description: Fill team_id_new of players

DO $$
DECLARE
    first_key players.id%TYPE;
    last_key players.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT id INTO first_key FROM players ORDER BY id LIMIT 1;
    WHILE FOUND LOOP
        SELECT id INTO last_key FROM (
            SELECT id FROM players WHERE id >= first_key
            ORDER BY id LIMIT 5000
        ) AS batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE players
        SET team_id_new = team_id
        WHERE players.id >= first_key AND players.id <= last_key
          AND (team_id_new IS NULL AND team_id IS NOT NULL);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'players: % rows changed', changed_rows;
        END IF;
        SELECT id INTO first_key FROM players
        WHERE id > last_key ORDER BY id LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- Description: Undo: fill team_id_new of players

-- Nothing to undo: the column that the up file fills is dropped by an earlier file.
-- == safe up: validate_players_team_id_new_not_null_check
-- Description: Validate players_team_id_new_not_null_check

ALTER TABLE players VALIDATE CONSTRAINT players_team_id_new_not_null_check;
-- == safe down
-- Description: Undo: validate players_team_id_new_not_null_check

ALTER TABLE players DROP CONSTRAINT players_team_id_new_not_null_check;
ALTER TABLE players ADD CONSTRAINT players_team_id_new_not_null_check CHECK (team_id_new IS NOT NULL) NOT VALID;
-- == safe up: validate_in_team_new
-- Description: Validate in_team_new

ALTER TABLE players VALIDATE CONSTRAINT in_team_new;
-- == safe down
-- Description: Undo: validate in_team_new

ALTER TABLE players DROP CONSTRAINT in_team_new;
ALTER TABLE players ADD CONSTRAINT in_team_new CHECK ((team_id_new > 0)) NOT VALID;
-- == safe up: validate_players_team_id_fkey_new
-- Description: Validate players_team_id_fkey_new

ALTER TABLE players VALIDATE CONSTRAINT players_team_id_fkey_new;
-- == safe down
-- Description: Undo: validate players_team_id_fkey_new

ALTER TABLE players DROP CONSTRAINT players_team_id_fkey_new;
ALTER TABLE players ADD CONSTRAINT players_team_id_fkey_new FOREIGN KEY (team_id_new) REFERENCES public.teams(id) NOT VALID;
-- == safe up: create_players_team_idx_new
-- Description: Create players_team_idx_new

CREATE INDEX CONCURRENTLY players_team_idx_new ON players USING btree (team_id_new, lower(name));
-- == safe down
-- Description: Undo: create players_team_idx_new

DROP INDEX CONCURRENTLY players_team_idx_new;
-- == safe up: create_players_name_team_id_key_new
-- Description: Create players_name_team_id_key_new

CREATE UNIQUE INDEX CONCURRENTLY players_name_team_id_key_new ON players USING btree (name, team_id_new);
-- == safe down
-- Description: Undo: create players_name_team_id_key_new

DROP INDEX CONCURRENTLY players_name_team_id_key_new;
-- == safe up: exchange_team_id_of_players
-- Description: Exchange team_id of players
-- migrate: after-deploy

DROP TRIGGER zz_players_team_id_copy ON players;
DROP FUNCTION zz_players_team_id_copy();
ALTER TABLE players DROP COLUMN team_id;
ALTER TABLE players RENAME COLUMN team_id_new TO team_id;
ALTER TABLE players ALTER COLUMN team_id SET NOT NULL;
ALTER TABLE players DROP CONSTRAINT players_team_id_new_not_null_check;
ALTER TABLE players ALTER COLUMN team_id SET DEFAULT 1;
ALTER INDEX players_team_idx_new RENAME TO players_team_idx;
ALTER TABLE players RENAME CONSTRAINT players_team_id_fkey_new TO players_team_id_fkey;
ALTER TABLE players ADD CONSTRAINT players_name_team_id_key UNIQUE USING INDEX players_name_team_id_key_new;
ALTER TABLE players RENAME CONSTRAINT in_team_new TO in_team;
-- == safe down
-- Description: Undo: exchange team_id of players

-- It keeps out the application while it writes all rows.
ALTER TABLE players RENAME COLUMN team_id TO team_id_new;
ALTER INDEX players_team_idx RENAME TO players_team_idx_new;
ALTER TABLE players RENAME CONSTRAINT players_team_id_fkey TO players_team_id_fkey_new;
ALTER TABLE players DROP CONSTRAINT players_name_team_id_key;
CREATE UNIQUE INDEX players_name_team_id_key_new ON players USING btree (name, team_id_new);
ALTER TABLE players RENAME CONSTRAINT in_team TO in_team_new;
ALTER TABLE players ALTER COLUMN team_id_new DROP NOT NULL;
ALTER TABLE players ADD CONSTRAINT players_team_id_new_not_null_check CHECK (team_id_new IS NOT NULL);
ALTER TABLE players ALTER COLUMN team_id_new DROP DEFAULT;
ALTER TABLE players ADD COLUMN team_id integer;
UPDATE players SET team_id = team_id_new;
ALTER TABLE players ALTER COLUMN team_id SET NOT NULL;
ALTER TABLE players ALTER COLUMN team_id SET DEFAULT 1;
CREATE INDEX players_team_idx ON public.players USING btree (team_id, lower(name));
ALTER TABLE players ADD CONSTRAINT players_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id);
ALTER TABLE players ADD CONSTRAINT players_name_team_id_key UNIQUE (name, team_id);
ALTER TABLE players ADD CONSTRAINT in_team CHECK ((team_id > 0));

CREATE FUNCTION zz_players_team_id_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.team_id_new := NEW.team_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_players_team_id_copy BEFORE INSERT OR UPDATE ON players
    FOR EACH ROW EXECUTE FUNCTION zz_players_team_id_copy();
