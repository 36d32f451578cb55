package saved

import (
	"context"
	"fmt"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// ListBoards lists the boards of a project.
func (a *API) ListBoards(ctx context.Context, req api.ListBoardsRequestObject) (api.ListBoardsResponseObject, error) {
	list, err := a.saved.Boards(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	items, err := each(list, apiBoard)
	return api.ListBoards200JSONResponse{Items: items}, err
}

// CreateBoard makes a board.
func (a *API) CreateBoard(ctx context.Context, req api.CreateBoardRequestObject) (api.CreateBoardResponseObject, error) {
	board := Board{Name: req.Body.Name, Description: value(req.Body.Description)}
	var err error
	if req.Body.Tiles != nil {
		if board.Tiles, err = each(*req.Body.Tiles, tileOf); err != nil {
			return nil, err
		}
	}
	if board, err = a.saved.CreateBoard(ctx, auth.From(ctx).AccountID, req.ProjectID, board); err != nil {
		return nil, err
	}
	reply, err := apiBoard(board)
	return api.CreateBoard201JSONResponse(reply), err
}

// GetBoard returns a board.
func (a *API) GetBoard(ctx context.Context, req api.GetBoardRequestObject) (api.GetBoardResponseObject, error) {
	board, err := a.saved.Board(ctx, req.ProjectID, req.BoardID)
	if err != nil {
		return nil, err
	}
	reply, err := apiBoard(board)
	return api.GetBoard200JSONResponse{Body: reply, Headers: api.GetBoard200ResponseHeaders{ETag: etag(board.Version)}}, err
}

// UpdateBoard changes a board.
func (a *API) UpdateBoard(ctx context.Context, req api.UpdateBoardRequestObject) (api.UpdateBoardResponseObject, error) {
	change := BoardChange{IfVersion: versionOf(req.Params.IfMatch), Name: req.Body.Name, Description: req.Body.Description}
	if req.Body.Tiles != nil {
		tiles, err := each(*req.Body.Tiles, tileOf)
		if err != nil {
			return nil, err
		}
		change.Tiles = &tiles
	}
	board, err := a.saved.UpdateBoard(ctx, auth.From(ctx).AccountID, req.ProjectID, req.BoardID, change)
	if err != nil {
		return nil, err
	}
	reply, err := apiBoard(board)
	return api.UpdateBoard200JSONResponse{Body: reply, Headers: api.UpdateBoard200ResponseHeaders{ETag: etag(board.Version)}}, err
}

// DeleteBoard deletes a board.
func (a *API) DeleteBoard(ctx context.Context, req api.DeleteBoardRequestObject) (api.DeleteBoardResponseObject, error) {
	err := a.saved.DeleteBoard(ctx, req.ProjectID, req.BoardID, versionOf(req.Params.IfMatch))
	return api.DeleteBoard204Response{}, err
}

func tileOf(in api.BoardTile) (Tile, error) {
	variant, err := in.ValueByDiscriminator()
	if err != nil {
		return Tile{}, fmt.Errorf("read a tile: %w", err)
	}
	switch t := variant.(type) {
	case api.InsightTile:
		return Tile{X: t.X, Y: t.Y, W: t.W, H: t.H, InsightID: &t.InsightID}, nil
	case api.TextTile:
		return Tile{X: t.X, Y: t.Y, W: t.W, H: t.H, Text: &t.Text}, nil
	default:
		return Tile{}, fmt.Errorf("a tile is a %T", t)
	}
}

func apiBoard(b Board) (api.Board, error) {
	out := api.Board{ID: b.ID, Name: b.Name, Description: b.Description, Tiles: make([]api.BoardTile, len(b.Tiles)),
		Version: b.Version, CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt, UpdatedBy: b.UpdatedBy, UpdatedAt: b.UpdatedAt}
	for i := range b.Tiles {
		t := &b.Tiles[i]
		var err error
		if t.InsightID != nil {
			err = out.Tiles[i].FromInsightTile(api.InsightTile{InsightID: *t.InsightID, X: t.X, Y: t.Y, W: t.W, H: t.H})
		} else {
			err = out.Tiles[i].FromTextTile(api.TextTile{Text: value(t.Text), X: t.X, Y: t.Y, W: t.W, H: t.H})
		}
		if err != nil {
			return out, fmt.Errorf("write a tile of board %s: %w", b.ID, err)
		}
	}
	return out, nil
}
