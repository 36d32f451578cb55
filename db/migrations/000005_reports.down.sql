DROP TABLE board_tiles;
DROP TABLE boards;
DROP TABLE reports;
