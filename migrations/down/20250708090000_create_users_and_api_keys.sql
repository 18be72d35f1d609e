-- Migration: 20250708090000_create_users_and_api_keys.sql
-- Description: Drops users, their API keys and the function that keeps updated_at current

DROP TABLE api_keys;
DROP TABLE users;
DROP FUNCTION update_updated_at_column();
