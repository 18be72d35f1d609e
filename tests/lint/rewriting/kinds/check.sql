-- == setup
CREATE TABLE prices (id int PRIMARY KEY, amount int);
ALTER TABLE prices ADD CONSTRAINT prices_amount_check CHECK (amount > -5);
-- == up
ALTER TABLE prices ADD CHECK (amount > 0) /* in cents */;
-- == down
ALTER TABLE prices DROP CONSTRAINT prices_amount_check1;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE prices ADD CONSTRAINT prices_amount_check1 CHECK (amount > 0) NOT VALID;
-- == safe down
ALTER TABLE prices DROP CONSTRAINT prices_amount_check1;
-- == safe up: validate_prices_amount_check1
-- Description: Validate prices_amount_check1

ALTER TABLE prices VALIDATE CONSTRAINT prices_amount_check1;
-- == safe down
-- Description: Undo: validate prices_amount_check1

ALTER TABLE prices DROP CONSTRAINT prices_amount_check1;
ALTER TABLE prices ADD CONSTRAINT prices_amount_check1 CHECK (amount > 0) NOT VALID;
