-- For people, as api_keys have it. Nodes of the previous release make write keys without one while a rollout lasts.
ALTER TABLE write_keys ADD COLUMN name text NOT NULL DEFAULT '';
