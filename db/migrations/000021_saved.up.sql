-- Reports become insights: questions of every kind. Those that are kept already are of the kind metrics, whose column is not in the
-- question itself: it is the body of the operation that answers it.
ALTER TABLE reports RENAME TO insights;
ALTER INDEX reports_pkey RENAME TO insights_pkey;
ALTER INDEX reports_created_by_idx RENAME TO insights_created_by_idx;
ALTER INDEX reports_updated_by_idx RENAME TO insights_updated_by_idx;
ALTER TABLE insights ADD COLUMN kind text NOT NULL DEFAULT 'metrics';

-- What a board shows, on a grid of 12 columns: an insight, which leaves the board when it is deleted, or text.
CREATE TABLE tiles (
    project_id uuid NOT NULL,
    board_id   uuid NOT NULL,
    x          int NOT NULL CHECK (x >= 0),
    y          int NOT NULL CHECK (y >= 0),
    w          int NOT NULL CHECK (w > 0),
    h          int NOT NULL CHECK (h > 0),
    insight_id uuid,
    text       text,
    PRIMARY KEY (project_id, board_id, y, x),
    CHECK (x + w <= 12),
    CHECK (num_nonnulls(insight_id, text) = 1),
    FOREIGN KEY (project_id, board_id) REFERENCES boards ON DELETE CASCADE,
    FOREIGN KEY (project_id, insight_id) REFERENCES insights ON DELETE CASCADE
);
CREATE INDEX tiles_insight_idx ON tiles (project_id, insight_id) WHERE insight_id IS NOT NULL;

ALTER TABLE board_tiles RENAME TO board_tiles_before;

-- Nodes of the previous release go on with reports and tiles of halves and wholes while a rollout lasts. They see the insights that
-- they know, and change nothing of the others.
CREATE VIEW reports AS
SELECT project_id, id, name, description, question, view, created_by, created_at, updated_at, version, updated_by
FROM insights WHERE kind = 'metrics';

CREATE VIEW board_tiles AS
SELECT t.project_id, t.board_id,
    (row_number() OVER (PARTITION BY t.project_id, t.board_id ORDER BY t.y, t.x) - 1)::int AS position,
    t.insight_id AS report_id,
    CASE WHEN t.w > 6 THEN 'full' ELSE 'half' END AS width
FROM tiles t JOIN insights i ON i.project_id = t.project_id AND i.id = t.insight_id
WHERE i.kind = 'metrics';

-- A half stands beside the half before it where there is room, anything else below all that is there.
CREATE FUNCTION place_board_tile() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    beside int;
BEGIN
    IF NEW.width = 'half' THEN
        SELECT l.y INTO beside FROM (SELECT * FROM tiles t WHERE t.project_id = NEW.project_id AND t.board_id = NEW.board_id
            ORDER BY t.y DESC, t.x DESC LIMIT 1) AS l
        WHERE l.x = 0 AND l.w <= 6 AND NOT EXISTS (SELECT FROM tiles o WHERE o.project_id = NEW.project_id AND o.board_id = NEW.board_id
            AND o.x + o.w > 6 AND o.y + o.h > l.y);
    END IF;
    INSERT INTO tiles (project_id, board_id, x, y, w, h, insight_id)
    SELECT NEW.project_id, NEW.board_id, CASE WHEN beside IS NULL THEN 0 ELSE 6 END, coalesce(beside, max(t.y + t.h), 0),
        CASE NEW.width WHEN 'half' THEN 6 ELSE 12 END, 4, NEW.report_id
    FROM tiles t WHERE t.project_id = NEW.project_id AND t.board_id = NEW.board_id;
    RETURN NEW;
END
$$;
CREATE FUNCTION remove_board_tile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tiles t WHERE t.project_id = OLD.project_id AND t.board_id = OLD.board_id AND t.insight_id = OLD.report_id;
    RETURN OLD;
END
$$;
CREATE TRIGGER place INSTEAD OF INSERT ON board_tiles FOR EACH ROW EXECUTE FUNCTION place_board_tile();
CREATE TRIGGER remove INSTEAD OF DELETE ON board_tiles FOR EACH ROW EXECUTE FUNCTION remove_board_tile();

INSERT INTO board_tiles (project_id, board_id, position, report_id, width)
SELECT b.project_id, b.board_id, b.position, b.report_id, b.width FROM board_tiles_before b ORDER BY b.project_id, b.board_id, b.position;
DROP TABLE board_tiles_before;

-- What happened when, for everyone who looks at a chart. A moment ends when it begins.
CREATE TABLE annotations (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    id         uuid NOT NULL,
    ts         timestamptz NOT NULL,
    until      timestamptz NOT NULL CHECK (until >= ts),
    text       text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    created_by uuid REFERENCES accounts ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid REFERENCES accounts ON DELETE SET NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX annotations_created_by_idx ON annotations (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX annotations_updated_by_idx ON annotations (updated_by) WHERE updated_by IS NOT NULL;

-- Several events under one name; the list is what the contract says of it.
CREATE TABLE custom_events (
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL,
    description text NOT NULL,
    events      jsonb NOT NULL,
    version     bigint NOT NULL DEFAULT 1,
    created_by  uuid REFERENCES accounts ON DELETE SET NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  uuid REFERENCES accounts ON DELETE SET NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX custom_events_created_by_idx ON custom_events (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX custom_events_updated_by_idx ON custom_events (updated_by) WHERE updated_by IS NOT NULL;

-- Of the sums of money of a project. Which currencies there are is known to the server.
ALTER TABLE projects ADD COLUMN currency text NOT NULL DEFAULT 'USD';
