package saved

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// Insights --------------------------------------------------------------------------------------------------------

func (s store) insights(ctx context.Context, projectID uuid.UUID) ([]Insight, error) {
	rows, err := s.q.Insights(ctx, s.pool, projectID)
	return all(rows, err, "list insights", insightOf)
}

func (s store) insight(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (Insight, error) {
	row, err := s.q.Insight(ctx, tx, projectID, id)
	return one(row, err, "load insight", insightOf)
}

func insightOf(row db.Insight) Insight {
	return Insight{ID: row.ID, Name: row.Name, Description: row.Description, Kind: row.Kind, Question: row.Question, View: row.View,
		Change: Change{Version: row.Version, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}}
}

func (s store) countInsights(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.InsightCount(ctx, tx, projectID)
	return n, failed(err, "count insights")
}

func (s store) createInsight(ctx context.Context, tx db.DBTX, projectID uuid.UUID, i Insight) error {
	return failed(s.q.InsightCreate(ctx, tx, db.InsightCreateParams{ProjectID: projectID, ID: i.ID, Name: i.Name, Description: i.Description,
		Kind: i.Kind, Question: i.Question, View: i.View, CreatedBy: i.CreatedBy}), "create insight")
}

func (s store) updateInsight(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID, c InsightChange) error {
	n, err := s.q.InsightUpdate(ctx, tx, db.InsightUpdateParams{ProjectID: projectID, ID: id, Name: c.Name, Description: c.Description,
		Kind: c.Kind, Question: c.Question, View: c.View, UpdatedBy: &accountID})
	return oneRow(n, err, "change insight")
}

func (s store) deleteInsight(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID) error {
	if err := s.q.BoardsLoseInsight(ctx, tx, &accountID, projectID, &id); err != nil {
		return failed(err, "change the boards of an insight")
	}
	n, err := s.q.InsightDelete(ctx, tx, projectID, id)
	return oneRow(n, err, "delete insight")
}

func (s store) insightIDs(ctx context.Context, tx db.DBTX, projectID uuid.UUID, ids []uuid.UUID) ([]uuid.UUID, error) {
	there, err := s.q.InsightsPresent(ctx, tx, projectID, ids)
	return there, failed(err, "look for insights")
}

func (s store) insightsOf(ctx context.Context, tx db.DBTX, projectID, customEventID uuid.UUID) ([]string, error) {
	names, err := s.q.InsightsOfCustomEvent(ctx, tx, projectID, customEventID)
	return names, failed(err, "look for the insights of a custom event")
}

// Boards ----------------------------------------------------------------------------------------------------------

func (s store) boards(ctx context.Context, projectID uuid.UUID) ([]Board, error) {
	rows, err := s.q.Boards(ctx, s.pool, projectID)
	if err != nil {
		return nil, failed(err, "list boards")
	}
	tiles, err := s.q.TilesOfProject(ctx, s.pool, projectID)
	if err != nil {
		return nil, failed(err, "list tiles")
	}
	of := make(map[uuid.UUID][]db.Tile, len(rows))
	for i := range tiles {
		of[tiles[i].BoardID] = append(of[tiles[i].BoardID], tiles[i])
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
	tiles, err := s.q.TilesOfBoard(ctx, tx, projectID, id)
	return boardOf(row, tiles), failed(err, "load tiles")
}

func boardOf(row db.Board, tiles []db.Tile) Board {
	b := Board{ID: row.ID, Name: row.Name, Description: row.Description, Tiles: make([]Tile, len(tiles)),
		Change: Change{Version: row.Version, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}}
	for i := range tiles {
		t := &tiles[i]
		b.Tiles[i] = Tile{X: t.X, Y: t.Y, W: t.W, H: t.H, InsightID: t.InsightID, Text: t.Text}
	}
	return b
}

func (s store) countBoards(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.BoardCount(ctx, tx, projectID)
	return n, failed(err, "count boards")
}

func (s store) createBoard(ctx context.Context, tx db.DBTX, projectID uuid.UUID, b Board) error {
	return failed(s.q.BoardCreate(ctx, tx, db.BoardCreateParams{ProjectID: projectID, ID: b.ID, Name: b.Name, Description: b.Description,
		CreatedBy: b.CreatedBy}), "create board")
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
	if err := s.q.TilesClear(ctx, tx, projectID, boardID); err != nil {
		return failed(err, "clear tiles")
	}
	add := db.TilesAddParams{ProjectID: projectID, BoardID: boardID}
	for i := range tiles {
		t := &tiles[i]
		add.Xs, add.Ys, add.Ws, add.Hs = append(add.Xs, t.X), append(add.Ys, t.Y), append(add.Ws, t.W), append(add.Hs, t.H)
		add.InsightIDs, add.Texts = append(add.InsightIDs, value(t.InsightID)), append(add.Texts, value(t.Text))
	}
	return failed(s.q.TilesAdd(ctx, tx, add), "set tiles")
}

// Annotations -----------------------------------------------------------------------------------------------------

func (s store) annotations(ctx context.Context, projectID uuid.UUID, from, to *time.Time) ([]Annotation, error) {
	rows, err := s.q.Annotations(ctx, s.pool, projectID, from, to)
	return all(rows, err, "list annotations", annotationOf)
}

func (s store) annotation(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (Annotation, error) {
	row, err := s.q.Annotation(ctx, tx, projectID, id)
	return one(row, err, "load annotation", annotationOf)
}

func annotationOf(row db.Annotation) Annotation {
	return Annotation{ID: row.ID, TS: row.TS.UTC(), Until: row.Until.UTC(), Text: row.Text,
		Change: Change{Version: row.Version, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}}
}

func (s store) countAnnotations(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.AnnotationCount(ctx, tx, projectID)
	return n, failed(err, "count annotations")
}

func (s store) createAnnotation(ctx context.Context, tx db.DBTX, projectID uuid.UUID, a Annotation) error {
	return failed(s.q.AnnotationCreate(ctx, tx, db.AnnotationCreateParams{ProjectID: projectID, ID: a.ID, TS: a.TS, Until: a.Until, Text: a.Text,
		CreatedBy: a.CreatedBy}), "create annotation")
}

func (s store) updateAnnotation(ctx context.Context, tx db.DBTX, accountID, projectID uuid.UUID, a Annotation) error {
	return failed(s.q.AnnotationUpdate(ctx, tx, db.AnnotationUpdateParams{ProjectID: projectID, ID: a.ID, TS: a.TS, Until: a.Until, Text: a.Text,
		UpdatedBy: &accountID}), "change annotation")
}

func (s store) deleteAnnotation(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) error {
	n, err := s.q.AnnotationDelete(ctx, tx, projectID, id)
	return oneRow(n, err, "delete annotation")
}

// Custom events ---------------------------------------------------------------------------------------------------

func (s store) customEvents(ctx context.Context, projectID uuid.UUID) ([]CustomEvent, error) {
	rows, err := s.q.CustomEvents(ctx, s.pool, projectID)
	return all(rows, err, "list custom events", customEventOf)
}

func (s store) customEvent(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (CustomEvent, error) {
	row, err := s.q.CustomEvent(ctx, tx, projectID, id)
	return one(row, err, "load custom event", customEventOf)
}

func customEventOf(row db.CustomEvent) CustomEvent {
	return CustomEvent{ID: row.ID, Name: row.Name, Description: row.Description, Events: row.Events,
		Change: Change{Version: row.Version, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}}
}

func (s store) countCustomEvents(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.CustomEventCount(ctx, tx, projectID)
	return n, failed(err, "count custom events")
}

func (s store) createCustomEvent(ctx context.Context, tx db.DBTX, projectID uuid.UUID, e CustomEvent) error {
	return failed(s.q.CustomEventCreate(ctx, tx, db.CustomEventCreateParams{ProjectID: projectID, ID: e.ID, Name: e.Name, Description: e.Description,
		Events: e.Events, CreatedBy: e.CreatedBy}), "create custom event")
}

func (s store) updateCustomEvent(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID, c CustomEventChange) error {
	n, err := s.q.CustomEventUpdate(ctx, tx, db.CustomEventUpdateParams{ProjectID: projectID, ID: id, Name: c.Name, Description: c.Description,
		Events: c.Events, UpdatedBy: &accountID})
	return oneRow(n, err, "change custom event")
}

func (s store) deleteCustomEvent(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) error {
	n, err := s.q.CustomEventDelete(ctx, tx, projectID, id)
	return oneRow(n, err, "delete custom event")
}

// Errors ----------------------------------------------------------------------------------------------------------

func all[R, T any](rows []R, err error, doing string, of func(R) T) ([]T, error) {
	if err != nil {
		return nil, failed(err, doing)
	}
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = of(row)
	}
	return out, nil
}

func one[R, T any](row R, err error, doing string, of func(R) T) (none T, _ error) {
	if err != nil {
		return none, absentOr(err, doing)
	}
	return of(row), nil
}

func failed(err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// absentOr is the one 404 when there was no row.
func absentOr(err error, doing string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.NotFound()
	}
	return failed(err, doing)
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
