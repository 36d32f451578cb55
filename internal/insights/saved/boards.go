package saved

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Board shows insights and text on a grid.
type Board struct {
	ID          uuid.UUID
	Name        string
	Description string
	Tiles       []Tile // row by row
	Change
}

// columns is how wide the grid of a board is.
const columns = 12

// Tile is an insight or text on a board, and where: in columns and rows of its grid, from 0.
type Tile struct {
	X, Y, W, H int32
	InsightID  *uuid.UUID
	Text       *string // Markdown; nil for an insight
}

// BoardChange are the fields to change; nil leaves one as it is. With IfVersion, only that version is changed.
type BoardChange struct {
	IfVersion         *int64
	Name, Description *string
	Tiles             *[]Tile
}

// Codes of bad tiles.
const (
	codeUnknownInsight = "unknown_insight"
	codeOverlap        = "overlap"
)

// Boards returns the boards of a project, newest first.
func (s *Service) Boards(ctx context.Context, projectID uuid.UUID) ([]Board, error) {
	return s.store.boards(ctx, projectID)
}

// Board returns one board; problem.NotFound when the project has none of this id.
func (s *Service) Board(ctx context.Context, projectID, id uuid.UUID) (Board, error) {
	return s.store.board(ctx, s.pool, projectID, id)
}

// CreateBoard makes a board. limit_reached when the project has too many, validation_failed for tiles that cannot be placed.
func (s *Service) CreateBoard(ctx context.Context, accountID, projectID uuid.UUID, board Board) (Board, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Board{}, fmt.Errorf("make the id of a board: %w", err)
	}
	board.ID, board.CreatedBy = id, &accountID
	err = s.change(ctx, projectID, func(tx pgx.Tx) error {
		n, err := s.store.countBoards(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if err := room(n, s.limits.Boards, "boards"); err != nil {
			return err
		}
		if err := s.store.createBoard(ctx, tx, projectID, board); err != nil {
			return err
		}
		if err := s.setTiles(ctx, tx, projectID, id, board.Tiles); err != nil {
			return err
		}
		if board, err = s.store.board(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.BoardCreate, Target: id.String(),
			Changes: audit.Changes{"name": {New: board.Name}}})
	})
	return board, err
}

// UpdateBoard changes a board and returns it as it is then. version_conflict when it is not the version to change.
func (s *Service) UpdateBoard(ctx context.Context, accountID, projectID, id uuid.UUID, change BoardChange) (Board, error) {
	var board Board
	err := s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.board(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		if err := s.store.updateBoard(ctx, tx, accountID, projectID, id, change); err != nil {
			return err
		}
		if change.Tiles != nil {
			if err := s.setTiles(ctx, tx, projectID, id, *change.Tiles); err != nil {
				return err
			}
		}
		if board, err = s.store.board(ctx, tx, projectID, id); err != nil {
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

// DeleteBoard removes a board; its insights stay. version_conflict when it is not the version to delete; nil is any.
func (s *Service) DeleteBoard(ctx context.Context, projectID, id uuid.UUID, ifVersion *int64) error {
	return s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.board(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, ifVersion); err != nil {
			return err
		}
		if err := s.store.deleteBoard(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.BoardDelete, Target: id.String(),
			Changes: audit.Changes{"name": {Old: before.Name}}})
	})
}

// setTiles replaces the tiles of a board. validation_failed names every one that cannot be placed.
func (s *Service) setTiles(ctx context.Context, tx pgx.Tx, projectID, boardID uuid.UUID, tiles []Tile) error {
	bad := misplaced(tiles)
	var wanted []uuid.UUID
	for i := range tiles {
		if id := tiles[i].InsightID; id != nil {
			wanted = append(wanted, *id)
		}
	}
	there, err := s.store.insightIDs(ctx, tx, projectID, wanted)
	if err != nil {
		return err
	}
	for i := range tiles {
		if id := tiles[i].InsightID; id != nil && !slices.Contains(there, *id) {
			bad = append(bad, badTile(i, "insight_id", codeUnknownInsight, "must be the id of an insight of this project"))
		}
	}
	if len(bad) > 0 {
		return problem.Invalid(bad...)
	}
	return s.store.setTiles(ctx, tx, projectID, boardID, tiles)
}

// misplaced are the tiles that are not on the grid, or lie on one before them.
func misplaced(tiles []Tile) (bad []contract.FieldError) {
	for i := range tiles {
		t := &tiles[i]
		if t.X+t.W > columns {
			bad = append(bad, badTile(i, "w", contract.CodeMaximum, fmt.Sprintf("must be at most %d where x is %d: there are %d columns", columns-t.X, t.X, columns)))
			continue
		}
		if k := slices.IndexFunc(tiles[:i], t.overlaps); k >= 0 {
			bad = append(bad, badTile(i, "", codeOverlap, fmt.Sprintf("overlaps /tiles/%d", k)))
		}
	}
	return bad
}

func (t *Tile) overlaps(o Tile) bool {
	return t.X < o.X+o.W && o.X < t.X+t.W && t.Y < o.Y+o.H && o.Y < t.Y+t.H
}

func badTile(i int, field, code, detail string) contract.FieldError {
	pointer := fmt.Sprintf("/tiles/%d", i)
	if field != "" {
		pointer += "/" + field
	}
	return contract.FieldError{In: contract.InBody, Pointer: pointer, Code: code, Item: -1, Detail: detail}
}
