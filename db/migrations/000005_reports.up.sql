-- Questions that are kept, and boards of them. A question is what the contract says of it, so it is kept as it came.
CREATE TABLE reports (
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL,
    description text NOT NULL,
    question    jsonb NOT NULL,
    view        jsonb NOT NULL,
    created_by  uuid REFERENCES accounts ON DELETE SET NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX reports_created_by_idx ON reports (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE boards (
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL,
    description text NOT NULL,
    created_by  uuid REFERENCES accounts ON DELETE SET NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX boards_created_by_idx ON boards (created_by) WHERE created_by IS NOT NULL;

-- A report that is deleted leaves every board.
CREATE TABLE board_tiles (
    project_id uuid NOT NULL,
    board_id   uuid NOT NULL,
    position   int NOT NULL,
    report_id  uuid NOT NULL,
    width      text NOT NULL CHECK (width IN ('half', 'full')),
    PRIMARY KEY (project_id, board_id, position),
    FOREIGN KEY (project_id, board_id) REFERENCES boards ON DELETE CASCADE,
    FOREIGN KEY (project_id, report_id) REFERENCES reports ON DELETE CASCADE
);
CREATE INDEX board_tiles_report_idx ON board_tiles (project_id, report_id);
