DELETE FROM person_links l USING person_links first
WHERE first.project_id = l.project_id AND first.anonymous = l.anonymous AND first.person = l.person
  AND (first.ts, first.received_at, first.event_id) < (l.ts, l.received_at, l.event_id);
ALTER TABLE person_links DROP CONSTRAINT person_links_pkey;
ALTER TABLE person_links ADD CONSTRAINT person_links_pkey PRIMARY KEY (project_id, anonymous, person);
