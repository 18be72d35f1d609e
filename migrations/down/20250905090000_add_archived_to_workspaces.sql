-- Migration: 20250905090000_add_archived_to_workspaces.sql
-- Description: Forgets which workspaces are archived

ALTER TABLE workspaces DROP COLUMN archived;
