-- name: InvitationCreate :exec
INSERT INTO invitations (id, project_id, token_hash, role, email, created_by, created_at, expires_at)
VALUES (@id, @project_id, @token_hash, @role, sqlc.narg('email'), @created_by, @created_at, @expires_at);

-- Those that wait and still hold: an invitation ends with its maker's right to make it.
-- name: InvitationsForProject :many
SELECT i.id, i.role, i.email, i.created_at, i.expires_at, a.email AS invited_by
FROM invitations i
JOIN accounts a ON a.id = i.created_by AND a.disabled_at IS NULL
JOIN project_members m ON m.project_id = i.project_id AND m.account_id = i.created_by
WHERE i.project_id = @project_id AND i.expires_at > @now::timestamptz
  AND (m.role = 'owner' OR m.role = 'admin' AND i.role <> 'owner')
ORDER BY i.id DESC LIMIT 1000;

-- name: InvitationCount :one
SELECT count(*) FROM invitations WHERE project_id = @project_id AND expires_at > @now::timestamptz;

-- The invitation of a token, with its project, while both hold.
-- name: InvitationByToken :one
SELECT i.id, i.project_id, i.role, i.email, i.expires_at, i.created_by, p.name AS project_name
FROM invitations i
JOIN projects p ON p.id = i.project_id AND p.deleted_at IS NULL AND p.disabled_at IS NULL
JOIN accounts a ON a.id = i.created_by AND a.disabled_at IS NULL
JOIN project_members m ON m.project_id = i.project_id AND m.account_id = i.created_by
WHERE i.token_hash = @token_hash AND i.expires_at > @now::timestamptz
  AND (m.role = 'owner' OR m.role = 'admin' AND i.role <> 'owner');

-- One row for whoever is first: an invitation works once.
-- name: InvitationDelete :execrows
DELETE FROM invitations WHERE id = @id AND project_id = @project_id;

-- name: InvitationsOfMember :exec
DELETE FROM invitations WHERE project_id = @project_id AND created_by = @created_by;

-- name: InvitationPrune :execrows
DELETE FROM invitations v WHERE v.id IN (SELECT i.id FROM invitations i WHERE i.expires_at < @before::timestamptz LIMIT 1000);
