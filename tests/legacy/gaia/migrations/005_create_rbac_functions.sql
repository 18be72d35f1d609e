-- RBAC: what the gateway asks

CREATE OR REPLACE FUNCTION user_level(wanted UUID) RETURNS INTEGER
LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(roles.level), 0)
    FROM user_role_assignments
    JOIN roles USING (role_id)
    WHERE user_role_assignments.user_id = wanted;
$$;

CREATE OR REPLACE FUNCTION user_has_level(wanted UUID, needed INTEGER) RETURNS BOOLEAN
LANGUAGE sql STABLE AS $$
    SELECT user_level(wanted) >= needed;
$$;
