package saved

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
)

// API is this slice's part of api.StrictServerInterface.
type API struct {
	reports *Reports
	check   func(*api.ReportQuestion) error
}

// NewAPI makes the operations on reports and boards. check refuses a question that cannot be asked.
func NewAPI(reports *Reports, check func(*api.ReportQuestion) error) *API {
	return &API{reports: reports, check: check}
}

// ListReports lists the reports of a project.
func (a *API) ListReports(ctx context.Context, req api.ListReportsRequestObject) (api.ListReportsResponseObject, error) {
	list, err := a.reports.List(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListReports200JSONResponse{Items: make([]api.Report, len(list))}
	for i, r := range list {
		if reply.Items[i], err = apiReport(r); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// CreateReport saves a report.
func (a *API) CreateReport(ctx context.Context, req api.CreateReportRequestObject) (api.CreateReportResponseObject, error) {
	report := Report{Name: req.Body.Name}
	if req.Body.Description != nil {
		report.Description = *req.Body.Description
	}
	var err error
	if report.Question, report.View, err = a.encode(&req.Body.Question, &req.Body.View); err != nil {
		return nil, err
	}
	if report, err = a.reports.Create(ctx, auth.From(ctx).AccountID, req.ProjectID, report); err != nil {
		return nil, err
	}
	reply, err := apiReport(report)
	return api.CreateReport201JSONResponse(reply), err
}

// GetReport returns a report.
func (a *API) GetReport(ctx context.Context, req api.GetReportRequestObject) (api.GetReportResponseObject, error) {
	report, err := a.reports.Get(ctx, req.ProjectID, req.ReportID)
	if err != nil {
		return nil, err
	}
	reply, err := apiReport(report)
	return api.GetReport200JSONResponse(reply), err
}

// UpdateReport changes a report.
func (a *API) UpdateReport(ctx context.Context, req api.UpdateReportRequestObject) (api.UpdateReportResponseObject, error) {
	change := ReportChange{IfVersion: versionOf(req.Params.IfMatch), Name: req.Body.Name, Description: req.Body.Description}
	var err error
	if change.Question, change.View, err = a.encode(req.Body.Question, req.Body.View); err != nil {
		return nil, err
	}
	report, err := a.reports.Update(ctx, auth.From(ctx).AccountID, req.ProjectID, req.ReportID, change)
	if err != nil {
		return nil, err
	}
	reply, err := apiReport(report)
	return api.UpdateReport200JSONResponse(reply), err
}

// DeleteReport deletes a report.
func (a *API) DeleteReport(ctx context.Context, req api.DeleteReportRequestObject) (api.DeleteReportResponseObject, error) {
	if err := a.reports.Delete(ctx, auth.From(ctx).AccountID, req.ProjectID, req.ReportID); err != nil {
		return nil, err
	}
	return api.DeleteReport204Response{}, nil
}

// ListBoards lists the boards of a project.
func (a *API) ListBoards(ctx context.Context, req api.ListBoardsRequestObject) (api.ListBoardsResponseObject, error) {
	list, err := a.reports.Boards(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	reply := api.ListBoards200JSONResponse{Items: make([]api.Board, len(list))}
	for i, b := range list {
		reply.Items[i] = apiBoard(b)
	}
	return reply, nil
}

// CreateBoard makes a board.
func (a *API) CreateBoard(ctx context.Context, req api.CreateBoardRequestObject) (api.CreateBoardResponseObject, error) {
	board := Board{Name: req.Body.Name}
	if req.Body.Description != nil {
		board.Description = *req.Body.Description
	}
	if req.Body.Tiles != nil {
		board.Tiles = tiles(*req.Body.Tiles)
	}
	board, err := a.reports.CreateBoard(ctx, auth.From(ctx).AccountID, req.ProjectID, board)
	if err != nil {
		return nil, err
	}
	return api.CreateBoard201JSONResponse(apiBoard(board)), nil
}

// GetBoard returns a board.
func (a *API) GetBoard(ctx context.Context, req api.GetBoardRequestObject) (api.GetBoardResponseObject, error) {
	board, err := a.reports.Board(ctx, req.ProjectID, req.BoardID)
	if err != nil {
		return nil, err
	}
	return api.GetBoard200JSONResponse(apiBoard(board)), nil
}

// UpdateBoard changes a board.
func (a *API) UpdateBoard(ctx context.Context, req api.UpdateBoardRequestObject) (api.UpdateBoardResponseObject, error) {
	change := BoardChange{IfVersion: versionOf(req.Params.IfMatch), Name: req.Body.Name, Description: req.Body.Description}
	if req.Body.Tiles != nil {
		t := tiles(*req.Body.Tiles)
		change.Tiles = &t
	}
	board, err := a.reports.UpdateBoard(ctx, auth.From(ctx).AccountID, req.ProjectID, req.BoardID, change)
	if err != nil {
		return nil, err
	}
	return api.UpdateBoard200JSONResponse(apiBoard(board)), nil
}

// DeleteBoard deletes a board.
func (a *API) DeleteBoard(ctx context.Context, req api.DeleteBoardRequestObject) (api.DeleteBoardResponseObject, error) {
	if err := a.reports.DeleteBoard(ctx, req.ProjectID, req.BoardID); err != nil {
		return nil, err
	}
	return api.DeleteBoard204Response{}, nil
}

// versionOf reads the version in If-Match: the contract has it in quotation marks, with at most 18 digits.
func versionOf(ifMatch *api.IfMatch) *int64 {
	if ifMatch == nil {
		return nil
	}
	version, err := strconv.ParseInt(strings.Trim(*ifMatch, `"`), 10, 64)
	if err != nil {
		panic(err) // the contract was checked before
	}
	return &version
}

// encode writes a question that can be asked, and a view, as the contract has them; nil stays nil.
func (a *API) encode(question *api.ReportQuestion, view *api.ReportView) (q, v json.RawMessage, err error) {
	if question != nil {
		if err = a.check(question); err != nil {
			return nil, nil, err
		}
		if q, err = json.Marshal(question); err != nil {
			return nil, nil, fmt.Errorf("encode a question: %w", err)
		}
	}
	if view != nil {
		if v, err = json.Marshal(view); err != nil {
			return nil, nil, fmt.Errorf("encode a view: %w", err)
		}
	}
	return q, v, nil
}

func apiReport(r Report) (api.Report, error) {
	out := api.Report{ID: r.ID, Name: r.Name, Description: r.Description, Version: r.Version,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, UpdatedBy: r.UpdatedBy, UpdatedAt: r.UpdatedAt}
	if err := json.Unmarshal(r.Question, &out.Question); err != nil {
		return out, fmt.Errorf("decode the question of report %s: %w", r.ID, err)
	}
	if err := json.Unmarshal(r.View, &out.View); err != nil {
		return out, fmt.Errorf("decode the view of report %s: %w", r.ID, err)
	}
	return out, nil
}

func tiles(in []api.BoardTile) []Tile {
	out := make([]Tile, len(in))
	for i, t := range in {
		out[i] = Tile{ReportID: t.ReportID, Width: string(t.Width)}
	}
	return out
}

func apiBoard(b Board) api.Board {
	out := api.Board{ID: b.ID, Name: b.Name, Description: b.Description, Tiles: make([]api.BoardTile, len(b.Tiles)),
		Version: b.Version, CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt, UpdatedBy: b.UpdatedBy, UpdatedAt: b.UpdatedAt}
	for i, t := range b.Tiles {
		out.Tiles[i] = api.BoardTile{ReportID: t.ReportID, Width: api.BoardTileWidth(t.Width)}
	}
	return out
}
