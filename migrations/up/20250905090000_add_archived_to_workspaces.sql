-- Migration: 20250905090000_add_archived_to_workspaces.sql
-- Description: Lets a workspace be archived

-- A constant default is stored once for all rows that exist: no row is written.
ALTER TABLE workspaces ADD COLUMN archived BOOLEAN DEFAULT false;
