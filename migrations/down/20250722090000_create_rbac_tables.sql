-- Migration: 20250722090000_create_rbac_tables.sql
-- Description: Drops roles, permissions, teams, workspaces and the sharing of resources

DROP TABLE resource_shares;
DROP TABLE resource_permissions;
DROP TABLE workspace_members;
DROP TABLE workspaces;
DROP TABLE team_members;
DROP TABLE teams;
DROP TABLE user_roles;
DROP TABLE role_permissions;
DROP TABLE permissions;
DROP TABLE roles;
