-- Migration: 20250813140000_create_conversations_table.sql
-- Description: Drops conversations table

DROP TABLE conversations;
