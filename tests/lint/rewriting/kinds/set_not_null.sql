-- == setup
CREATE TABLE users_ (id int PRIMARY KEY, "E-Mail" text);
-- == up
ALTER TABLE users_ ALTER COLUMN "E-Mail" SET NOT NULL;
-- == down
ALTER TABLE users_ ALTER COLUMN "E-Mail" DROP NOT NULL;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE users_ ADD CONSTRAINT "users__E-Mail_not_null_check" CHECK ("E-Mail" IS NOT NULL) NOT VALID;
-- == safe down
ALTER TABLE users_ DROP CONSTRAINT "users__E-Mail_not_null_check";
-- == safe up: validate_users_e_mail_not_null_check
-- Description: Validate users__E-Mail_not_null_check

ALTER TABLE users_ VALIDATE CONSTRAINT "users__E-Mail_not_null_check";
-- == safe down
-- Description: Undo: validate users__E-Mail_not_null_check

ALTER TABLE users_ DROP CONSTRAINT "users__E-Mail_not_null_check";
ALTER TABLE users_ ADD CONSTRAINT "users__E-Mail_not_null_check" CHECK ("E-Mail" IS NOT NULL) NOT VALID;
-- == safe up: require_e_mail_of_users
-- Description: Require E-Mail of users_

ALTER TABLE users_ ALTER COLUMN "E-Mail" SET NOT NULL;
ALTER TABLE users_ DROP CONSTRAINT "users__E-Mail_not_null_check";
-- == safe down
-- Description: Undo: require E-Mail of users_
-- migrate: no-transaction

ALTER TABLE users_ ADD CONSTRAINT "users__E-Mail_not_null_check" CHECK ("E-Mail" IS NOT NULL) NOT VALID;
ALTER TABLE users_ VALIDATE CONSTRAINT "users__E-Mail_not_null_check";
ALTER TABLE users_ ALTER COLUMN "E-Mail" DROP NOT NULL;
