-- Migration: 20250729090000_create_knowledge_base_tables.sql
-- Description: Drops the knowledge base: documents, history, search index, context cache, permissions and activity log

DROP TABLE kb_activity_log;
DROP TABLE kb_permissions;
DROP TABLE kb_context_cache;
DROP TABLE kb_search_index;
DROP TABLE kb_document_history;
DROP TABLE kb_documents;
DROP FUNCTION record_kb_document_history();
