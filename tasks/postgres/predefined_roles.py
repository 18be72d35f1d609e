"""Roles that every server has since a major version; no other role may have a name that begins with pg_.

https://www.postgresql.org/docs/current/predefined-roles.html, https://www.postgresql.org/docs/release/
"""

from __future__ import annotations

PREDEFINED_ROLES = {
    "pg_monitor": 10,
    "pg_read_all_settings": 10,
    "pg_read_all_stats": 10,
    "pg_signal_backend": 9,
    "pg_stat_scan_tables": 10,
    "pg_execute_server_program": 11,
    "pg_read_server_files": 11,
    "pg_write_server_files": 11,
    "pg_database_owner": 14,
    "pg_read_all_data": 14,
    "pg_write_all_data": 14,
    "pg_checkpoint": 15,
    "pg_create_subscription": 16,
    "pg_use_reserved_connections": 16,
    "pg_maintain": 17,
    "pg_signal_autovacuum_worker": 18,
}
"""By name: the first major version that has the role."""
RESERVED_PREFIX = "pg_"
