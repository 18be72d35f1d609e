-- Run this in the SQL editor of Supabase, after the persona tables are there.

GRANT SELECT ON personas TO anon;

ALTER TABLE personas ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS personas_public ON personas;
CREATE POLICY personas_public ON personas FOR SELECT TO anon USING (is_active);
