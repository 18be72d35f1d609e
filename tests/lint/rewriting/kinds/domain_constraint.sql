-- == setup
CREATE DOMAIN wage AS int;
CREATE TABLE wages (id int PRIMARY KEY, paid wage);
-- == up
ALTER DOMAIN wage ADD CONSTRAINT wage_check CHECK (VALUE >= 0);
-- == down
ALTER DOMAIN wage DROP CONSTRAINT wage_check;
-- == findings
@1
-- == safe up: replaced
ALTER DOMAIN wage ADD CONSTRAINT wage_check CHECK (VALUE >= 0) NOT VALID;
-- == safe down
ALTER DOMAIN wage DROP CONSTRAINT wage_check;
-- == safe up: validate_wage_check
-- Description: Validate wage_check

ALTER DOMAIN wage VALIDATE CONSTRAINT wage_check;
-- == safe down
-- Description: Undo: validate wage_check

ALTER DOMAIN wage DROP CONSTRAINT wage_check;
ALTER DOMAIN wage ADD CONSTRAINT wage_check CHECK (VALUE >= 0) NOT VALID;
