package saved

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Board shows reports beside each other.
type Board struct {
	ID          uuid.UUID
	Name        string
	Description string
	Tiles       []Tile // from the top
	Version     int64  // counts the changes, from 1
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	UpdatedBy   *uuid.UUID // nil before the first change
	UpdatedAt   time.Time
}

// Tile is a report on a board.
type Tile struct {
	ReportID uuid.UUID
	Width    string // half or full
}

// BoardChange are the fields to change; nil leaves one as it is. With IfVersion, only that version is changed.
type BoardChange struct {
	IfVersion         *int64
	Name, Description *string
	Tiles             *[]Tile
}

// codeUnknownReport is the code of a tile whose report the project does not have.
const codeUnknownReport = "unknown_report"

// Boards returns the boards of a project, newest first.
func (r *Reports) Boards(ctx context.Context, projectID uuid.UUID) ([]Board, error) {
	return r.store.boards(ctx, projectID)
}

// Board returns one board; problem.NotFound when the project has none of this id.
func (r *Reports) Board(ctx context.Context, projectID, id uuid.UUID) (Board, error) {
	return r.store.board(ctx, r.pool, projectID, id)
}

// CreateBoard makes a board. limit_reached when the project has too many, validation_failed for tiles whose report is not
// there.
func (r *Reports) CreateBoard(ctx context.Context, accountID, projectID uuid.UUID, board Board) (Board, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Board{}, fmt.Errorf("make the id of a board: %w", err)
	}
	board.ID, board.CreatedBy = id, &accountID
	err = r.change(ctx, projectID, func(tx pgx.Tx) error {
		n, err := r.store.countBoards(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if n >= int64(r.limits.Boards) {
			return problem.New(problem.CodeLimitReached, "A project has at most %d boards.", r.limits.Boards)
		}
		if err := r.store.createBoard(ctx, tx, projectID, board); err != nil {
			return err
		}
		if err := r.setTiles(ctx, tx, projectID, id, board.Tiles); err != nil {
			return err
		}
		if board, err = r.store.board(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.BoardCreate, Target: id.String(),
			Changes: audit.Changes{"name": {New: board.Name}}})
	})
	return board, err
}

// UpdateBoard changes a board and returns it as it is then. version_conflict when it is not the version to change.
func (r *Reports) UpdateBoard(ctx context.Context, accountID, projectID, id uuid.UUID, change BoardChange) (Board, error) {
	var board Board
	err := r.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := r.store.board(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		if err := r.store.updateBoard(ctx, tx, accountID, projectID, id, change); err != nil {
			return err
		}
		if change.Tiles != nil {
			if err := r.setTiles(ctx, tx, projectID, id, *change.Tiles); err != nil {
				return err
			}
		}
		if board, err = r.store.board(ctx, tx, projectID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, board.Name)
		changes.Diff("description", before.Description, board.Description)
		changes.Diff("tiles", len(before.Tiles), len(board.Tiles))
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.BoardUpdate, Target: id.String(), Changes: changes})
	})
	return board, err
}

// DeleteBoard removes a board; its reports stay.
func (r *Reports) DeleteBoard(ctx context.Context, projectID, id uuid.UUID) error {
	return r.change(ctx, projectID, func(tx pgx.Tx) error {
		if err := r.store.deleteBoard(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.BoardDelete, Target: id.String()})
	})
}

// setTiles replaces the tiles of a board, naming every one whose report is not there.
func (r *Reports) setTiles(ctx context.Context, tx pgx.Tx, projectID, boardID uuid.UUID, tiles []Tile) error {
	wanted := make([]uuid.UUID, len(tiles))
	for i, t := range tiles {
		wanted[i] = t.ReportID
	}
	there, err := r.store.reportIDs(ctx, tx, projectID, wanted)
	if err != nil {
		return err
	}
	var errs []contract.FieldError
	for i, id := range wanted {
		if !slices.Contains(there, id) {
			errs = append(errs, contract.FieldError{In: contract.InBody, Pointer: fmt.Sprintf("/tiles/%d/report_id", i), Code: codeUnknownReport, Item: -1,
				Detail: "must be the id of a report of this project"})
		}
	}
	if len(errs) > 0 {
		return problem.Invalid(errs...)
	}
	return r.store.setTiles(ctx, tx, projectID, boardID, tiles)
}
