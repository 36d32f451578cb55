ALTER TABLE projects DROP COLUMN currency;
DROP TABLE custom_events, annotations;

CREATE TABLE board_tiles_after (
    project_id uuid NOT NULL,
    board_id   uuid NOT NULL,
    position   int NOT NULL,
    report_id  uuid NOT NULL,
    width      text NOT NULL CHECK (width IN ('half', 'full'))
);
INSERT INTO board_tiles_after SELECT project_id, board_id, position, report_id, width FROM board_tiles;
DROP VIEW board_tiles, reports;
DROP FUNCTION place_board_tile(), remove_board_tile();
DROP TABLE tiles;

DELETE FROM insights WHERE kind <> 'metrics';
ALTER TABLE insights DROP COLUMN kind;
ALTER TABLE insights RENAME TO reports;
ALTER INDEX insights_pkey RENAME TO reports_pkey;
ALTER INDEX insights_created_by_idx RENAME TO reports_created_by_idx;
ALTER INDEX insights_updated_by_idx RENAME TO reports_updated_by_idx;

ALTER TABLE board_tiles_after RENAME TO board_tiles;
ALTER TABLE board_tiles
    ADD PRIMARY KEY (project_id, board_id, position),
    ADD FOREIGN KEY (project_id, board_id) REFERENCES boards ON DELETE CASCADE,
    ADD FOREIGN KEY (project_id, report_id) REFERENCES reports ON DELETE CASCADE;
CREATE INDEX board_tiles_report_idx ON board_tiles (project_id, report_id);
