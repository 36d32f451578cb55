-- One text of JSON that is equal: jsonb has one sequence of members and one spelling of everything but numbers, of which it
-- keeps the zeros behind the point, so that [1,2] and [1.0,2] are equal and their texts are not. Only such numbers need the
-- work: what the pattern does not find has none. It asks of a digit before the point, so that most strings pass it too.
CREATE FUNCTION canonical_json(value jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF value::text !~ '[0-9]\.[0-9]*0' THEN
        RETURN value;
    END IF;
    CASE jsonb_typeof(value)
        WHEN 'number' THEN
            RETURN to_jsonb(trim_scale(value::numeric));
        WHEN 'array' THEN
            RETURN (SELECT jsonb_agg(canonical_json(e.element) ORDER BY e.n) FROM jsonb_array_elements(value) WITH ORDINALITY AS e (element, n));
        WHEN 'object' THEN
            RETURN (SELECT jsonb_object_agg(m.name, canonical_json(m.member)) FROM jsonb_each(value) AS m (name, member));
        ELSE
            RETURN value;
    END CASE;
END
$$;

-- Where questions name a prop it is a path now, and a dot, an opening bracket or a backslash of a name needs a backslash before
-- it. Kept questions are written so, that they ask what they asked.
CREATE FUNCTION question_with_paths(question jsonb) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT CASE jsonb_typeof(question)
        WHEN 'array' THEN (SELECT coalesce(jsonb_agg(question_with_paths(e.element) ORDER BY e.n), '[]')
            FROM jsonb_array_elements(question) WITH ORDINALITY AS e (element, n))
        WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(m.name, CASE
            WHEN m.name IN ('prop', 'breakdown_prop') THEN to_jsonb(regexp_replace(m.member #>> '{}', '([.[\\])', '\\\1', 'g'))
            ELSE question_with_paths(m.member) END), '{}') FROM jsonb_each(question) AS m (name, member))
        ELSE question
    END
$$;
UPDATE reports SET question = question_with_paths(question) WHERE question <> question_with_paths(question);
DROP FUNCTION question_with_paths(jsonb);
