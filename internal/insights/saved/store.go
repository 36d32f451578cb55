package saved

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// store maps between the generated queries and the types of this package. Methods that take a db.DBTX are part of their
// caller's transaction; the others are statements by themselves.
type store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

func newStore(pool *pgxpool.Pool) store { return store{pool: pool, q: db.New()} }

func (s store) lockProject(ctx context.Context, tx db.DBTX, id uuid.UUID) error {
	if _, err := s.q.ProjectLock(ctx, tx, id); err != nil {
		return absentOr(err, "lock project")
	}
	return nil
}

// Reports ---------------------------------------------------------------------------------------------------------

func (s store) reports(ctx context.Context, projectID uuid.UUID) ([]Report, error) {
	rows, err := s.q.Reports(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	out := make([]Report, len(rows))
	for i, row := range rows {
		out[i] = reportOf(row)
	}
	return out, nil
}

func (s store) report(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (Report, error) {
	row, err := s.q.Report(ctx, tx, projectID, id)
	if err != nil {
		return Report{}, absentOr(err, "load report")
	}
	return reportOf(row), nil
}

func reportOf(row db.Report) Report {
	return Report{ID: row.ID, Name: row.Name, Description: row.Description, Question: row.Question, View: row.View,
		Version: row.Version, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}
}

func (s store) countReports(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.ReportCount(ctx, tx, projectID)
	if err != nil {
		return 0, fmt.Errorf("count reports: %w", err)
	}
	return n, nil
}

func (s store) createReport(ctx context.Context, tx db.DBTX, projectID uuid.UUID, r Report) error {
	if err := s.q.ReportCreate(ctx, tx, db.ReportCreateParams{ProjectID: projectID, ID: r.ID, Name: r.Name, Description: r.Description,
		Question: r.Question, View: r.View, CreatedBy: r.CreatedBy}); err != nil {
		return fmt.Errorf("create report: %w", err)
	}
	return nil
}

func (s store) updateReport(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID, c ReportChange) error {
	n, err := s.q.ReportUpdate(ctx, tx, db.ReportUpdateParams{ProjectID: projectID, ID: id, Name: c.Name, Description: c.Description,
		Question: c.Question, View: c.View, UpdatedBy: &accountID})
	return oneRow(n, err, "change report")
}

func (s store) deleteReport(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID) error {
	if err := s.q.BoardsLoseReport(ctx, tx, &accountID, projectID, id); err != nil {
		return fmt.Errorf("change the boards of a report: %w", err)
	}
	n, err := s.q.ReportDelete(ctx, tx, projectID, id)
	return oneRow(n, err, "delete report")
}

func (s store) reportIDs(ctx context.Context, tx db.DBTX, projectID uuid.UUID, ids []uuid.UUID) ([]uuid.UUID, error) {
	there, err := s.q.ReportsPresent(ctx, tx, projectID, ids)
	if err != nil {
		return nil, fmt.Errorf("look for reports: %w", err)
	}
	return there, nil
}

// Boards ----------------------------------------------------------------------------------------------------------

func (s store) boards(ctx context.Context, projectID uuid.UUID) ([]Board, error) {
	rows, err := s.q.Boards(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("list boards: %w", err)
	}
	tiles, err := s.q.BoardTilesOfProject(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("list tiles: %w", err)
	}
	of := make(map[uuid.UUID][]db.BoardTile, len(rows))
	for _, t := range tiles {
		of[t.BoardID] = append(of[t.BoardID], t)
	}
	out := make([]Board, len(rows))
	for i, row := range rows {
		out[i] = boardOf(row, of[row.ID])
	}
	return out, nil
}

func (s store) board(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (Board, error) {
	row, err := s.q.Board(ctx, tx, projectID, id)
	if err != nil {
		return Board{}, absentOr(err, "load board")
	}
	tiles, err := s.q.BoardTiles(ctx, tx, projectID, id)
	if err != nil {
		return Board{}, fmt.Errorf("load tiles: %w", err)
	}
	return boardOf(row, tiles), nil
}

func boardOf(row db.Board, tiles []db.BoardTile) Board {
	b := Board{ID: row.ID, Name: row.Name, Description: row.Description, Tiles: make([]Tile, len(tiles)), Version: row.Version,
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}
	for i, t := range tiles {
		b.Tiles[i] = Tile{ReportID: t.ReportID, Width: t.Width}
	}
	return b
}

func (s store) countBoards(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.BoardCount(ctx, tx, projectID)
	if err != nil {
		return 0, fmt.Errorf("count boards: %w", err)
	}
	return n, nil
}

func (s store) createBoard(ctx context.Context, tx db.DBTX, projectID uuid.UUID, b Board) error {
	if err := s.q.BoardCreate(ctx, tx, db.BoardCreateParams{ProjectID: projectID, ID: b.ID, Name: b.Name, Description: b.Description,
		CreatedBy: b.CreatedBy}); err != nil {
		return fmt.Errorf("create board: %w", err)
	}
	return nil
}

func (s store) updateBoard(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID, c BoardChange) error {
	n, err := s.q.BoardUpdate(ctx, tx, db.BoardUpdateParams{ProjectID: projectID, ID: id, Name: c.Name, Description: c.Description,
		UpdatedBy: &accountID})
	return oneRow(n, err, "change board")
}

func (s store) deleteBoard(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) error {
	n, err := s.q.BoardDelete(ctx, tx, projectID, id)
	return oneRow(n, err, "delete board")
}

func (s store) setTiles(ctx context.Context, tx db.DBTX, projectID, boardID uuid.UUID, tiles []Tile) error {
	if err := s.q.BoardTilesClear(ctx, tx, projectID, boardID); err != nil {
		return fmt.Errorf("clear tiles: %w", err)
	}
	add := db.BoardTilesAddParams{ProjectID: projectID, BoardID: boardID}
	for _, t := range tiles {
		add.ReportIDs = append(add.ReportIDs, t.ReportID)
		add.Widths = append(add.Widths, t.Width)
	}
	if len(tiles) == 0 {
		return nil
	}
	if err := s.q.BoardTilesAdd(ctx, tx, add); err != nil {
		return fmt.Errorf("set tiles: %w", err)
	}
	return nil
}

// absentOr is the one 404 when there was no row.
func absentOr(err error, doing string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.NotFound()
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func oneRow(n int64, err error, doing string) error {
	if err == nil && n == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return absentOr(err, doing)
	}
	return nil
}
