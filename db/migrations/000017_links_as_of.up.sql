-- An event that is earlier in the order may have arrived later. As of a moment before that, the one that was known then is
-- the first: both are kept.
ALTER TABLE person_links DROP CONSTRAINT person_links_pkey;
ALTER TABLE person_links ADD CONSTRAINT person_links_pkey PRIMARY KEY (project_id, anonymous, person, event_id);
