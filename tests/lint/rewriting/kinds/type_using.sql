-- == setup
CREATE TABLE forms (id int PRIMARY KEY, age text);
-- == up
ALTER TABLE forms ALTER COLUMN age TYPE int USING nullif(age, '')::int;
-- == down
ALTER TABLE forms ALTER COLUMN age TYPE text;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE forms ADD COLUMN age_new int;

CREATE FUNCTION zz_forms_age_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.age_new := nullif(NEW.age, '')::int;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_forms_age_copy BEFORE INSERT OR UPDATE ON forms
    FOR EACH ROW EXECUTE FUNCTION zz_forms_age_copy();
-- == safe down
DROP TRIGGER zz_forms_age_copy ON forms;
DROP FUNCTION zz_forms_age_copy();
ALTER TABLE forms DROP COLUMN age_new;
-- == safe up: fill_age_new_of_forms
-- Description: Fill age_new of forms

DO $$
DECLARE
    first_key forms.id%TYPE;
    last_key forms.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT id INTO first_key FROM forms ORDER BY id LIMIT 1;
    WHILE FOUND LOOP
        SELECT id INTO last_key FROM (
            SELECT id FROM forms WHERE id >= first_key
            ORDER BY id LIMIT 5000
        ) AS batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE forms
        SET age_new = nullif(age, '')::int
        WHERE forms.id >= first_key AND forms.id <= last_key
          AND (age_new IS NULL);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'forms: % rows changed', changed_rows;
        END IF;
        SELECT id INTO first_key FROM forms
        WHERE id > last_key ORDER BY id LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- Description: Undo: fill age_new of forms

-- Nothing to undo: the column that the up file fills is dropped by an earlier file.
-- == safe up: exchange_age_of_forms
-- Description: Exchange age of forms
-- migrate: after-deploy

DROP TRIGGER zz_forms_age_copy ON forms;
DROP FUNCTION zz_forms_age_copy();
ALTER TABLE forms DROP COLUMN age;
ALTER TABLE forms RENAME COLUMN age_new TO age;
-- == safe down
-- Description: Undo: exchange age of forms

-- It keeps out the application while it writes all rows.
ALTER TABLE forms RENAME COLUMN age TO age_new;
ALTER TABLE forms ADD COLUMN age text;
UPDATE forms SET age = age_new;

CREATE FUNCTION zz_forms_age_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.age_new := nullif(NEW.age, '')::int;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_forms_age_copy BEFORE INSERT OR UPDATE ON forms
    FOR EACH ROW EXECUTE FUNCTION zz_forms_age_copy();
