-- Seed: 002_system_users.sql
-- Description: The users that every environment has, without API keys

-- A user who exists stays as they are. A key is issued in each environment by itself: none belongs in a repository.
INSERT INTO users (email, name)
VALUES
    ('admin@gaia.dev', 'Gaia Administrator'),
    ('dev@gaia.local', 'Local Development User')
ON CONFLICT (email) DO NOTHING;
