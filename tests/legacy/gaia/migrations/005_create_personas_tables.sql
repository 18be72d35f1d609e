-- Migration: Create personas and user persona preferences
-- Date: 2025-08-05

BEGIN;

CREATE TABLE IF NOT EXISTS personas (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    name VARCHAR(100) UNIQUE NOT NULL,
    description TEXT NOT NULL,
    system_prompt TEXT NOT NULL,
    personality_traits JSONB DEFAULT '{}',
    capabilities JSONB DEFAULT '{}',
    is_active BOOLEAN DEFAULT true,
    created_by VARCHAR(255),
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_personas_name ON personas (name);
CREATE INDEX IF NOT EXISTS idx_personas_is_active ON personas (is_active);
CREATE INDEX IF NOT EXISTS idx_personas_created_by ON personas (created_by);

-- user_id is what the gateway calls a user, which need not be a row of users.
CREATE TABLE IF NOT EXISTS user_persona_preferences (
    user_id VARCHAR(255) PRIMARY KEY,
    persona_id UUID NOT NULL REFERENCES personas (id) ON DELETE CASCADE,
    updated_at TIMESTAMPTZ DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_user_persona_preferences_persona_id ON user_persona_preferences (persona_id);

INSERT INTO personas (name, description, system_prompt, personality_traits, capabilities, created_by)
VALUES (
    'Mu',
    'A cheerful robot companion',
    'You are Mu, a cheerful robot companion on the Gaia Platform.',
    '{"cheerful": true, "curious": true}',
    '{"conversation": true, "tool_use": true}',
    'system'
)
ON CONFLICT (name) DO NOTHING;

COMMIT;

-- Verify
SELECT table_name FROM information_schema.tables WHERE table_name IN ('personas', 'user_persona_preferences');
SELECT name, is_active FROM personas;
