-- The schema that these migrations make. Written by `inv db.migrate` on a local database; read it, do not edit it.
-- 20250708090000_create_users_and_api_keys sha256:7b8bf08371d7097f
-- 20250715090000_create_asset_tables sha256:01c271a0b9b30daf
-- 20250722090000_create_rbac_tables sha256:431cc2882506ef6a
-- 20250729090000_create_knowledge_base_tables sha256:0b40edb1d972a7ef
-- 20250805090000_create_persona_tables sha256:147422a7b48d8295
-- 20250813140000_create_conversations_table sha256:6e3a2017a168a9bc
-- 20250813140100_create_chat_messages_table sha256:b4d1d7ce14ba758f
-- 20250905090000_add_archived_to_workspaces sha256:3739f4fde95dd17f
-- 20250918090000_create_semantic_index_tables sha256:81ba270c2d5af495
-- 20251006090000_enable_vector_extension sha256:f54c69cba7bf9d54
-- 20251006090100_add_embeddings_to_semantic_chunks sha256:fdd71958d5f02e01
-- 20251020090000_index_semantic_chunk_embeddings sha256:78f5787e2eacb680
-- 20251110090000_add_namespace_to_semantic_chunks sha256:3b96acb5a04bf341
-- 20251110090100_fill_semantic_namespaces sha256:f5cafe1c2a2f1435 writes rows
-- 20251110090200_make_semantic_metadata_key_composite sha256:d8b493a16c1b8b43
-- 20251110090300_validate_semantic_chunks_foreign_key sha256:84e0479827e68c42

SET check_function_bodies = false;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;

COMMENT ON EXTENSION vector IS 'pgvector, created by migration 20251006090000_enable_vector_extension';

CREATE FUNCTION public.record_kb_document_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.document = OLD.document AND NEW.version IS NOT DISTINCT FROM OLD.version THEN
        RETURN NULL;
    END IF;
    INSERT INTO kb_document_history (path, version, document, change_type, changed_by)
    VALUES (
        NEW.path,
        coalesce(NEW.version, 1),
        NEW.document,
        CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'update' END,
        coalesce(NEW.locked_by, OLD.locked_by)
    );
    RETURN NULL;
END;
$$;

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.api_keys (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    key_hash character varying(64) NOT NULL,
    name character varying(255),
    permissions jsonb DEFAULT '{}'::jsonb,
    is_active boolean DEFAULT true,
    expires_at timestamp without time zone,
    last_used_at timestamp without time zone,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.asset_generations (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    asset_id uuid,
    generation_prompt text NOT NULL,
    generation_service character varying(50) NOT NULL,
    generation_cost numeric(10,4) NOT NULL,
    generation_time_ms integer NOT NULL,
    session_id character varying(255),
    user_id character varying(255),
    generation_metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp without time zone DEFAULT now()
);

CREATE TABLE public.asset_modifications (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    base_asset_id uuid,
    modified_asset_id uuid,
    modifications text[] NOT NULL,
    modification_service character varying(50) NOT NULL,
    modification_cost numeric(10,4) NOT NULL,
    modification_time_ms integer NOT NULL,
    session_id character varying(255),
    user_id character varying(255),
    modification_metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp without time zone DEFAULT now()
);

CREATE TABLE public.asset_sources (
    id integer NOT NULL,
    source_type character varying(50) NOT NULL,
    source_name character varying(100) NOT NULL,
    api_endpoint character varying(255),
    is_active boolean DEFAULT true,
    rate_limit_per_minute integer,
    requires_attribution boolean DEFAULT false,
    cost_per_request numeric(10,6) DEFAULT 0.0,
    created_at timestamp without time zone DEFAULT now(),
    updated_at timestamp without time zone DEFAULT now()
);

CREATE SEQUENCE public.asset_sources_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.asset_sources_id_seq OWNED BY public.asset_sources.id;

CREATE TABLE public.asset_usage (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    asset_id uuid,
    user_id character varying(255),
    session_id character varying(255),
    usage_type character varying(50) NOT NULL,
    cost_incurred numeric(10,4) DEFAULT 0.0,
    metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp without time zone DEFAULT now()
);

CREATE TABLE public.assets (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    source_id integer,
    external_id character varying(255),
    category character varying(50) NOT NULL,
    title character varying(255) NOT NULL,
    description text,
    style_tags text[],
    file_url text NOT NULL,
    storage_type character varying(20) NOT NULL,
    file_size_mb double precision,
    file_format character varying(10),
    preview_image_url text,
    quality_score double precision DEFAULT 0.0,
    download_count integer DEFAULT 0,
    license_type character varying(50),
    attribution_required boolean DEFAULT false,
    metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp without time zone DEFAULT now(),
    updated_at timestamp without time zone DEFAULT now(),
    CONSTRAINT assets_category_check CHECK (((category)::text = ANY ((ARRAY['environment'::character varying, 'character'::character varying, 'prop'::character varying, 'audio'::character varying, 'texture'::character varying, 'animation'::character varying, 'image'::character varying])::text[]))),
    CONSTRAINT assets_license_type_check CHECK (((license_type)::text = ANY ((ARRAY['creative_commons'::character varying, 'public_domain'::character varying, 'custom'::character varying, 'commercial'::character varying, 'proprietary'::character varying])::text[]))),
    CONSTRAINT assets_quality_score_check CHECK (((quality_score >= (0)::double precision) AND (quality_score <= (1)::double precision))),
    CONSTRAINT assets_storage_type_check CHECK (((storage_type)::text = ANY ((ARRAY['supabase'::character varying, 'external'::character varying, 'generated'::character varying])::text[])))
);

CREATE TABLE public.chat_messages (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    role character varying(50) NOT NULL,
    content text NOT NULL,
    model character varying(100),
    provider character varying(50),
    tokens_used integer,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.conversations (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    title character varying(255) DEFAULT 'New Conversation'::character varying NOT NULL,
    preview text,
    is_active boolean DEFAULT true,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.kb_activity_log (
    id integer NOT NULL,
    action text NOT NULL,
    resource_path text,
    resource_type text DEFAULT 'file'::text,
    actor_id text,
    actor_type text DEFAULT 'user'::text,
    details jsonb DEFAULT '{}'::jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamp without time zone DEFAULT now(),
    CONSTRAINT kb_activity_log_action_check CHECK ((action = ANY (ARRAY['create'::text, 'read'::text, 'update'::text, 'delete'::text, 'search'::text, 'share'::text, 'move'::text])))
);

CREATE SEQUENCE public.kb_activity_log_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.kb_activity_log_id_seq OWNED BY public.kb_activity_log.id;

CREATE TABLE public.kb_context_cache (
    context_name text NOT NULL,
    file_paths text[] NOT NULL,
    total_size integer DEFAULT 0,
    keywords text[],
    entities jsonb,
    last_accessed timestamp without time zone DEFAULT now(),
    last_modified timestamp without time zone DEFAULT now(),
    metadata jsonb DEFAULT '{}'::jsonb,
    CONSTRAINT kb_context_cache_context_name_check CHECK ((length(context_name) > 0))
);

CREATE TABLE public.kb_document_history (
    id integer NOT NULL,
    path text NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    change_type text NOT NULL,
    changed_by text,
    change_message text,
    created_at timestamp without time zone DEFAULT now(),
    CONSTRAINT kb_document_history_change_type_check CHECK ((change_type = ANY (ARRAY['create'::text, 'update'::text, 'delete'::text, 'move'::text]))),
    CONSTRAINT kb_document_history_version_check CHECK ((version > 0))
);

CREATE SEQUENCE public.kb_document_history_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.kb_document_history_id_seq OWNED BY public.kb_document_history.id;

CREATE TABLE public.kb_documents (
    path text NOT NULL,
    document jsonb NOT NULL,
    version integer DEFAULT 1,
    locked_by text,
    locked_until timestamp without time zone,
    created_at timestamp without time zone DEFAULT now(),
    updated_at timestamp without time zone DEFAULT now(),
    CONSTRAINT kb_documents_path_check CHECK ((length(path) > 0)),
    CONSTRAINT kb_documents_version_check CHECK ((version > 0))
);

CREATE TABLE public.kb_permissions (
    id integer NOT NULL,
    resource_path text NOT NULL,
    resource_type text DEFAULT 'file'::text NOT NULL,
    principal_id text NOT NULL,
    principal_type text DEFAULT 'user'::text NOT NULL,
    permissions text[] DEFAULT ARRAY['read'::text] NOT NULL,
    granted_by text,
    granted_at timestamp without time zone DEFAULT now(),
    expires_at timestamp without time zone,
    CONSTRAINT kb_permissions_permissions_check CHECK ((permissions <@ ARRAY['read'::text, 'write'::text, 'share'::text, 'admin'::text])),
    CONSTRAINT kb_permissions_principal_type_check CHECK ((principal_type = ANY (ARRAY['user'::text, 'team'::text, 'public'::text]))),
    CONSTRAINT kb_permissions_resource_type_check CHECK ((resource_type = ANY (ARRAY['file'::text, 'directory'::text, 'context'::text])))
);

CREATE SEQUENCE public.kb_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.kb_permissions_id_seq OWNED BY public.kb_permissions.id;

CREATE TABLE public.kb_search_index (
    path text NOT NULL,
    line_number integer NOT NULL,
    content_excerpt text,
    search_vector tsvector,
    keywords text[],
    created_at timestamp without time zone DEFAULT now()
);

CREATE TABLE public.kb_semantic_chunk_ids (
    id integer NOT NULL,
    relative_path text NOT NULL,
    chunk_id text NOT NULL,
    chunk_index integer NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    chunk_text text,
    embedding public.vector(384),
    namespace text NOT NULL
);

CREATE SEQUENCE public.kb_semantic_chunk_ids_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.kb_semantic_chunk_ids_id_seq OWNED BY public.kb_semantic_chunk_ids.id;

CREATE TABLE public.kb_semantic_index_metadata (
    relative_path text NOT NULL,
    namespace text NOT NULL,
    mtime real NOT NULL,
    num_chunks integer NOT NULL,
    last_indexed timestamp without time zone DEFAULT now() NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.permissions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    resource_type character varying(50) NOT NULL,
    resource_path character varying(500) NOT NULL,
    action character varying(50) NOT NULL,
    description text,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.personas (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(100) NOT NULL,
    description text NOT NULL,
    system_prompt text NOT NULL,
    personality_traits jsonb DEFAULT '{}'::jsonb,
    capabilities jsonb DEFAULT '{}'::jsonb,
    is_active boolean DEFAULT true,
    created_by character varying(255),
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now()
);

CREATE TABLE public.resource_permissions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    resource_type character varying(50) NOT NULL,
    resource_id character varying(500) NOT NULL,
    principal_type character varying(50) NOT NULL,
    principal_id uuid NOT NULL,
    permissions jsonb DEFAULT '["read"]'::jsonb,
    granted_by uuid,
    granted_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    expires_at timestamp without time zone
);

CREATE TABLE public.resource_shares (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    resource_type character varying(50) NOT NULL,
    resource_id character varying(500) NOT NULL,
    shared_by uuid NOT NULL,
    shared_with_type character varying(50) NOT NULL,
    shared_with_id uuid,
    permissions jsonb DEFAULT '["read"]'::jsonb,
    expires_at timestamp without time zone,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.role_permissions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    role_id uuid NOT NULL,
    permission_id uuid NOT NULL,
    granted_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.roles (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(100) NOT NULL,
    description text,
    type character varying(50) DEFAULT 'custom'::character varying NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.team_members (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role character varying(50) DEFAULT 'member'::character varying NOT NULL,
    joined_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.teams (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    created_by uuid,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.user_persona_preferences (
    user_id character varying(255) NOT NULL,
    persona_id uuid NOT NULL,
    updated_at timestamp with time zone DEFAULT now()
);

CREATE TABLE public.user_roles (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    role_id uuid NOT NULL,
    context_type character varying(50) DEFAULT 'global'::character varying NOT NULL,
    context_id uuid,
    assigned_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    assigned_by uuid
);

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    email character varying(255) NOT NULL,
    name character varying(255),
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.workspace_members (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role character varying(50) DEFAULT 'member'::character varying NOT NULL,
    joined_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public.workspaces (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    team_id uuid,
    created_by uuid,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP,
    archived boolean DEFAULT false
);

ALTER TABLE ONLY public.asset_sources ALTER COLUMN id SET DEFAULT nextval('public.asset_sources_id_seq'::regclass);

ALTER TABLE ONLY public.kb_activity_log ALTER COLUMN id SET DEFAULT nextval('public.kb_activity_log_id_seq'::regclass);

ALTER TABLE ONLY public.kb_document_history ALTER COLUMN id SET DEFAULT nextval('public.kb_document_history_id_seq'::regclass);

ALTER TABLE ONLY public.kb_permissions ALTER COLUMN id SET DEFAULT nextval('public.kb_permissions_id_seq'::regclass);

ALTER TABLE ONLY public.kb_semantic_chunk_ids ALTER COLUMN id SET DEFAULT nextval('public.kb_semantic_chunk_ids_id_seq'::regclass);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.asset_generations
    ADD CONSTRAINT asset_generations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.asset_modifications
    ADD CONSTRAINT asset_modifications_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.asset_sources
    ADD CONSTRAINT asset_sources_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.asset_usage
    ADD CONSTRAINT asset_usage_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assets
    ADD CONSTRAINT assets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kb_activity_log
    ADD CONSTRAINT kb_activity_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kb_context_cache
    ADD CONSTRAINT kb_context_cache_pkey PRIMARY KEY (context_name);

ALTER TABLE ONLY public.kb_document_history
    ADD CONSTRAINT kb_document_history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kb_documents
    ADD CONSTRAINT kb_documents_pkey PRIMARY KEY (path);

ALTER TABLE ONLY public.kb_permissions
    ADD CONSTRAINT kb_permissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kb_permissions
    ADD CONSTRAINT kb_permissions_resource_path_principal_id_principal_type_key UNIQUE (resource_path, principal_id, principal_type);

ALTER TABLE ONLY public.kb_search_index
    ADD CONSTRAINT kb_search_index_pkey PRIMARY KEY (path, line_number);

ALTER TABLE ONLY public.kb_semantic_chunk_ids
    ADD CONSTRAINT kb_semantic_chunk_ids_chunk_id_key UNIQUE (chunk_id);

ALTER TABLE ONLY public.kb_semantic_chunk_ids
    ADD CONSTRAINT kb_semantic_chunk_ids_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kb_semantic_index_metadata
    ADD CONSTRAINT kb_semantic_index_metadata_pkey PRIMARY KEY (namespace, relative_path);

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT permissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT permissions_resource_type_resource_path_action_key UNIQUE (resource_type, resource_path, action);

ALTER TABLE ONLY public.personas
    ADD CONSTRAINT personas_name_key UNIQUE (name);

ALTER TABLE ONLY public.personas
    ADD CONSTRAINT personas_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.resource_permissions
    ADD CONSTRAINT resource_permissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.resource_permissions
    ADD CONSTRAINT resource_permissions_resource_type_resource_id_principal_ty_key UNIQUE (resource_type, resource_id, principal_type, principal_id);

ALTER TABLE ONLY public.resource_shares
    ADD CONSTRAINT resource_shares_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.resource_shares
    ADD CONSTRAINT resource_shares_resource_type_resource_id_shared_with_type__key UNIQUE (resource_type, resource_id, shared_with_type, shared_with_id);

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_role_id_permission_id_key UNIQUE (role_id, permission_id);

ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_name_key UNIQUE (name);

ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_id_user_id_key UNIQUE (team_id, user_id);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_name_key UNIQUE (name);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.user_persona_preferences
    ADD CONSTRAINT user_persona_preferences_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_workspace_id_user_id_key UNIQUE (workspace_id, user_id);

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (id);

CREATE INDEX idx_api_keys_is_active ON public.api_keys USING btree (is_active);

CREATE INDEX idx_api_keys_key_hash ON public.api_keys USING btree (key_hash);

CREATE INDEX idx_api_keys_user_id ON public.api_keys USING btree (user_id);

CREATE INDEX idx_asset_generations_asset_id ON public.asset_generations USING btree (asset_id);

CREATE INDEX idx_asset_generations_session_id ON public.asset_generations USING btree (session_id);

CREATE INDEX idx_asset_modifications_base_asset_id ON public.asset_modifications USING btree (base_asset_id);

CREATE INDEX idx_asset_modifications_modified_asset_id ON public.asset_modifications USING btree (modified_asset_id);

CREATE INDEX idx_asset_usage_asset_id ON public.asset_usage USING btree (asset_id);

CREATE INDEX idx_asset_usage_user_id ON public.asset_usage USING btree (user_id);

CREATE INDEX idx_assets_category ON public.assets USING btree (category);

CREATE INDEX idx_assets_category_created_at ON public.assets USING btree (category, created_at DESC);

CREATE INDEX idx_assets_category_quality_score ON public.assets USING btree (category, quality_score DESC);

CREATE INDEX idx_assets_created_at ON public.assets USING btree (created_at DESC);

CREATE INDEX idx_assets_description ON public.assets USING gin (to_tsvector('english'::regconfig, description));

CREATE INDEX idx_assets_download_count ON public.assets USING btree (download_count DESC);

CREATE INDEX idx_assets_license_type ON public.assets USING btree (license_type);

CREATE INDEX idx_assets_quality_score ON public.assets USING btree (quality_score DESC);

CREATE INDEX idx_assets_source_id ON public.assets USING btree (source_id);

CREATE INDEX idx_assets_storage_type ON public.assets USING btree (storage_type);

CREATE INDEX idx_assets_style_tags ON public.assets USING gin (style_tags);

CREATE INDEX idx_assets_title ON public.assets USING gin (to_tsvector('english'::regconfig, (title)::text));

CREATE INDEX idx_chat_messages_conversation_id ON public.chat_messages USING btree (conversation_id);

CREATE INDEX idx_chat_messages_created_at ON public.chat_messages USING btree (created_at);

CREATE INDEX idx_chat_messages_user_id ON public.chat_messages USING btree (user_id);

CREATE INDEX idx_conversations_created_at ON public.conversations USING btree (created_at);

CREATE INDEX idx_conversations_is_active ON public.conversations USING btree (is_active);

CREATE INDEX idx_conversations_user_id ON public.conversations USING btree (user_id);

CREATE INDEX idx_kb_activity_log_actor_id_created_at ON public.kb_activity_log USING btree (actor_id, created_at DESC);

CREATE INDEX idx_kb_activity_log_created_at ON public.kb_activity_log USING btree (created_at DESC);

CREATE INDEX idx_kb_activity_log_resource_path_action ON public.kb_activity_log USING btree (resource_path, action);

CREATE INDEX idx_kb_context_cache_keywords ON public.kb_context_cache USING gin (keywords);

CREATE INDEX idx_kb_context_cache_last_accessed ON public.kb_context_cache USING btree (last_accessed DESC);

CREATE INDEX idx_kb_document_history_changed_by_created_at ON public.kb_document_history USING btree (changed_by, created_at DESC);

CREATE INDEX idx_kb_document_history_created_at ON public.kb_document_history USING btree (created_at DESC);

CREATE INDEX idx_kb_document_history_path_version ON public.kb_document_history USING btree (path, version DESC);

CREATE INDEX idx_kb_documents_content ON public.kb_documents USING gin (to_tsvector('english'::regconfig, (document ->> 'content'::text)));

CREATE INDEX idx_kb_documents_keywords ON public.kb_documents USING gin (((document -> 'keywords'::text)));

CREATE INDEX idx_kb_documents_locked_by_locked_until ON public.kb_documents USING btree (locked_by, locked_until) WHERE (locked_by IS NOT NULL);

CREATE INDEX idx_kb_documents_metadata ON public.kb_documents USING gin (((document -> 'metadata'::text)));

CREATE INDEX idx_kb_documents_path ON public.kb_documents USING btree (path text_pattern_ops);

CREATE INDEX idx_kb_documents_updated_at ON public.kb_documents USING btree (updated_at DESC);

CREATE INDEX idx_kb_documents_version ON public.kb_documents USING btree (version);

CREATE INDEX idx_kb_permissions_expires_at ON public.kb_permissions USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX idx_kb_permissions_principal_id_principal_type ON public.kb_permissions USING btree (principal_id, principal_type);

CREATE INDEX idx_kb_permissions_resource_path_resource_type ON public.kb_permissions USING btree (resource_path, resource_type);

CREATE INDEX idx_kb_search_index_keywords ON public.kb_search_index USING gin (keywords);

CREATE INDEX idx_kb_search_index_search_vector ON public.kb_search_index USING gin (search_vector);

CREATE INDEX idx_kb_semantic_chunk_ids_chunk_id ON public.kb_semantic_chunk_ids USING btree (chunk_id);

CREATE INDEX idx_kb_semantic_chunk_ids_embedding ON public.kb_semantic_chunk_ids USING hnsw (embedding public.vector_cosine_ops) WITH (m='16', ef_construction='64');

CREATE INDEX idx_kb_semantic_chunk_ids_namespace ON public.kb_semantic_chunk_ids USING btree (namespace);

CREATE INDEX idx_kb_semantic_chunk_ids_namespace_relative_path ON public.kb_semantic_chunk_ids USING btree (namespace, relative_path);

CREATE INDEX idx_kb_semantic_chunk_ids_relative_path ON public.kb_semantic_chunk_ids USING btree (relative_path);

CREATE INDEX idx_kb_semantic_chunk_ids_relative_path1 ON public.kb_semantic_chunk_ids USING btree (relative_path);

CREATE INDEX idx_kb_semantic_chunk_ids_relative_path_chunk_index ON public.kb_semantic_chunk_ids USING btree (relative_path, chunk_index);

CREATE INDEX idx_kb_semantic_index_metadata_last_indexed ON public.kb_semantic_index_metadata USING btree (last_indexed);

CREATE INDEX idx_kb_semantic_index_metadata_namespace ON public.kb_semantic_index_metadata USING btree (namespace);

CREATE INDEX idx_kb_semantic_index_metadata_namespace_mtime ON public.kb_semantic_index_metadata USING btree (namespace, mtime);

CREATE INDEX idx_personas_created_by ON public.personas USING btree (created_by);

CREATE INDEX idx_personas_is_active ON public.personas USING btree (is_active);

CREATE INDEX idx_personas_name ON public.personas USING btree (name);

CREATE INDEX idx_resource_permissions_expires_at ON public.resource_permissions USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX idx_resource_permissions_principal_type_principal_id ON public.resource_permissions USING btree (principal_type, principal_id);

CREATE INDEX idx_resource_permissions_resource_type_resource_id ON public.resource_permissions USING btree (resource_type, resource_id);

CREATE INDEX idx_resource_shares_resource_type_resource_id ON public.resource_shares USING btree (resource_type, resource_id);

CREATE INDEX idx_resource_shares_shared_with_type_shared_with_id ON public.resource_shares USING btree (shared_with_type, shared_with_id);

CREATE INDEX idx_team_members_team_id ON public.team_members USING btree (team_id);

CREATE INDEX idx_team_members_user_id ON public.team_members USING btree (user_id);

CREATE INDEX idx_user_persona_preferences_persona_id ON public.user_persona_preferences USING btree (persona_id);

CREATE INDEX idx_user_roles_context_type_context_id ON public.user_roles USING btree (context_type, context_id);

CREATE INDEX idx_user_roles_user_id ON public.user_roles USING btree (user_id);

CREATE INDEX idx_workspace_members_user_id ON public.workspace_members USING btree (user_id);

CREATE INDEX idx_workspace_members_workspace_id ON public.workspace_members USING btree (workspace_id);

CREATE TRIGGER trigger_kb_document_history AFTER INSERT OR UPDATE ON public.kb_documents FOR EACH ROW EXECUTE FUNCTION public.record_kb_document_history();

CREATE TRIGGER trigger_kb_document_updated_at BEFORE UPDATE ON public.kb_documents FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_api_keys_updated_at BEFORE UPDATE ON public.api_keys FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_asset_sources_updated_at BEFORE UPDATE ON public.asset_sources FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_assets_updated_at BEFORE UPDATE ON public.assets FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_conversations_updated_at BEFORE UPDATE ON public.conversations FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_users_updated_at BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.asset_generations
    ADD CONSTRAINT asset_generations_asset_id_fkey FOREIGN KEY (asset_id) REFERENCES public.assets(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.asset_modifications
    ADD CONSTRAINT asset_modifications_base_asset_id_fkey FOREIGN KEY (base_asset_id) REFERENCES public.assets(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.asset_modifications
    ADD CONSTRAINT asset_modifications_modified_asset_id_fkey FOREIGN KEY (modified_asset_id) REFERENCES public.assets(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.asset_usage
    ADD CONSTRAINT asset_usage_asset_id_fkey FOREIGN KEY (asset_id) REFERENCES public.assets(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.assets
    ADD CONSTRAINT assets_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.asset_sources(id);

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_fkey1 FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.kb_document_history
    ADD CONSTRAINT kb_document_history_path_fkey FOREIGN KEY (path) REFERENCES public.kb_documents(path) ON DELETE CASCADE;

ALTER TABLE ONLY public.kb_search_index
    ADD CONSTRAINT kb_search_index_path_fkey FOREIGN KEY (path) REFERENCES public.kb_documents(path) ON DELETE CASCADE;

ALTER TABLE ONLY public.kb_semantic_chunk_ids
    ADD CONSTRAINT kb_semantic_chunk_ids_namespace_relative_path_fkey FOREIGN KEY (namespace, relative_path) REFERENCES public.kb_semantic_index_metadata(namespace, relative_path) ON DELETE CASCADE;

ALTER TABLE ONLY public.resource_permissions
    ADD CONSTRAINT resource_permissions_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.resource_shares
    ADD CONSTRAINT resource_shares_shared_by_fkey FOREIGN KEY (shared_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_permission_id_fkey FOREIGN KEY (permission_id) REFERENCES public.permissions(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.user_persona_preferences
    ADD CONSTRAINT user_persona_preferences_persona_id_fkey FOREIGN KEY (persona_id) REFERENCES public.personas(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_assigned_by_fkey FOREIGN KEY (assigned_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id);
