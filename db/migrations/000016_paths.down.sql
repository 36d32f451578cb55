-- Names are names again. A question about a nested value asks about a member that there is not.
CREATE FUNCTION question_with_names(question jsonb) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT CASE jsonb_typeof(question)
        WHEN 'array' THEN (SELECT coalesce(jsonb_agg(question_with_names(e.element) ORDER BY e.n), '[]')
            FROM jsonb_array_elements(question) WITH ORDINALITY AS e (element, n))
        WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(m.name, CASE
            WHEN m.name IN ('prop', 'breakdown_prop') THEN to_jsonb(regexp_replace(m.member #>> '{}', '\\([.[\\])', '\1', 'g'))
            ELSE question_with_names(m.member) END), '{}') FROM jsonb_each(question) AS m (name, member))
        ELSE question
    END
$$;
UPDATE reports SET question = question_with_names(question) WHERE question <> question_with_names(question);
DROP FUNCTION question_with_names(jsonb);
DROP FUNCTION canonical_json(jsonb);
