-- Migration: 20250805090000_create_persona_tables.sql
-- Description: Drops personas and which of them each user prefers

DROP TABLE user_persona_preferences;
DROP TABLE personas;
