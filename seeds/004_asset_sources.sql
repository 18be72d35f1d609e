-- Seed: 004_asset_sources.sql
-- Description: Where assets come from

-- asset_sources has no unique name that ON CONFLICT could name, hence the look before each row. A source that exists stays as it is.
-- The order gives each source the same id in each new database.
INSERT INTO asset_sources (source_type, source_name)
SELECT source_type, source_name
FROM (
    VALUES
        ('open_source', 'poly_haven'),
        ('open_source', 'freesound'),
        ('open_source', 'opengameart'),
        ('community', 'community_uploads'),
        ('generated', 'meshy_ai'),
        ('generated', 'midjourney')
) AS source (source_type, source_name)
WHERE NOT EXISTS (
    SELECT FROM asset_sources AS known WHERE known.source_name = source.source_name
)
ORDER BY source_name;
