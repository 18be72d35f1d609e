-- Migration: 20250813140100_create_chat_messages_table.sql
-- Description: Drops chat messages

DROP TABLE chat_messages;
