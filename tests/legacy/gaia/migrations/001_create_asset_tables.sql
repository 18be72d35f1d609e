-- Asset pricing and search: sources, assets, and what was made of them

CREATE TABLE IF NOT EXISTS asset_sources (
    id SERIAL PRIMARY KEY,
    source_type VARCHAR(50) NOT NULL,
    source_name VARCHAR(100) NOT NULL,
    api_endpoint VARCHAR(255),
    is_active BOOLEAN DEFAULT true,
    rate_limit_per_minute INTEGER,
    requires_attribution BOOLEAN DEFAULT false,
    cost_per_request NUMERIC(10, 6) DEFAULT 0.0,
    created_at TIMESTAMP DEFAULT now(),
    updated_at TIMESTAMP DEFAULT now()
);

DROP TRIGGER IF EXISTS update_asset_sources_updated_at ON asset_sources;
CREATE TRIGGER update_asset_sources_updated_at
    BEFORE UPDATE ON asset_sources
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TABLE IF NOT EXISTS assets (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_id INTEGER REFERENCES asset_sources (id),
    external_id VARCHAR(255),
    category VARCHAR(50) NOT NULL
        CHECK (category IN ('environment', 'character', 'prop', 'audio', 'texture', 'animation', 'image')),
    title VARCHAR(255) NOT NULL,
    description TEXT,
    style_tags TEXT[],
    file_url TEXT NOT NULL,
    storage_type VARCHAR(20) NOT NULL
        CHECK (storage_type IN ('supabase', 'external', 'generated')),
    file_size_mb DOUBLE PRECISION,
    file_format VARCHAR(10),
    preview_image_url TEXT,
    quality_score DOUBLE PRECISION DEFAULT 0.0
        CHECK (quality_score >= 0 AND quality_score <= 1),
    download_count INTEGER DEFAULT 0,
    license_type VARCHAR(50)
        CHECK (license_type IN ('creative_commons', 'public_domain', 'custom', 'commercial', 'proprietary')),
    attribution_required BOOLEAN DEFAULT false,
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT now(),
    updated_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_assets_source_id ON assets (source_id);
CREATE INDEX IF NOT EXISTS idx_assets_category ON assets (category);
CREATE INDEX IF NOT EXISTS idx_assets_category_created_at ON assets (category, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_assets_category_quality_score ON assets (category, quality_score DESC);
CREATE INDEX IF NOT EXISTS idx_assets_created_at ON assets (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_assets_download_count ON assets (download_count DESC);
CREATE INDEX IF NOT EXISTS idx_assets_license_type ON assets (license_type);
CREATE INDEX IF NOT EXISTS idx_assets_quality_score ON assets (quality_score DESC);
CREATE INDEX IF NOT EXISTS idx_assets_storage_type ON assets (storage_type);
CREATE INDEX IF NOT EXISTS idx_assets_style_tags ON assets USING gin (style_tags);
CREATE INDEX IF NOT EXISTS idx_assets_title ON assets USING gin (to_tsvector('english', title));
CREATE INDEX IF NOT EXISTS idx_assets_description ON assets USING gin (to_tsvector('english', description));

DROP TRIGGER IF EXISTS update_assets_updated_at ON assets;
CREATE TRIGGER update_assets_updated_at
    BEFORE UPDATE ON assets
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TABLE IF NOT EXISTS asset_generations (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    asset_id UUID REFERENCES assets (id) ON DELETE CASCADE,
    generation_prompt TEXT NOT NULL,
    generation_service VARCHAR(50) NOT NULL,
    generation_cost NUMERIC(10, 4) NOT NULL,
    generation_time_ms INTEGER NOT NULL,
    session_id VARCHAR(255),
    user_id VARCHAR(255),
    generation_metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_asset_generations_asset_id ON asset_generations (asset_id);
CREATE INDEX IF NOT EXISTS idx_asset_generations_session_id ON asset_generations (session_id);

CREATE TABLE IF NOT EXISTS asset_modifications (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    base_asset_id UUID REFERENCES assets (id) ON DELETE CASCADE,
    modified_asset_id UUID REFERENCES assets (id) ON DELETE CASCADE,
    modifications TEXT[] NOT NULL,
    modification_service VARCHAR(50) NOT NULL,
    modification_cost NUMERIC(10, 4) NOT NULL,
    modification_time_ms INTEGER NOT NULL,
    session_id VARCHAR(255),
    user_id VARCHAR(255),
    modification_metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_asset_modifications_base_asset_id ON asset_modifications (base_asset_id);
CREATE INDEX IF NOT EXISTS idx_asset_modifications_modified_asset_id ON asset_modifications (modified_asset_id);

CREATE TABLE IF NOT EXISTS asset_usage (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    asset_id UUID REFERENCES assets (id) ON DELETE CASCADE,
    user_id VARCHAR(255),
    session_id VARCHAR(255),
    usage_type VARCHAR(50) NOT NULL,
    cost_incurred NUMERIC(10, 4) DEFAULT 0.0,
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_asset_usage_asset_id ON asset_usage (asset_id);
CREATE INDEX IF NOT EXISTS idx_asset_usage_user_id ON asset_usage (user_id);
