-- Migration: 20250715090000_create_asset_tables.sql
-- Description: Drops assets with their sources, generations, modifications and usage

DROP TABLE asset_usage;
DROP TABLE asset_modifications;
DROP TABLE asset_generations;
DROP TABLE assets;
DROP TABLE asset_sources;
