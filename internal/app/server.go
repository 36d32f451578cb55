package app

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/events/history"
	"github.com/bahagh/nimbus/internal/events/native"
	"github.com/bahagh/nimbus/internal/events/quota"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/insights/answers"
	"github.com/bahagh/nimbus/internal/insights/saved"
	"github.com/bahagh/nimbus/internal/insights/trends"
	"github.com/bahagh/nimbus/internal/live"
)

// Aliases give each embedded slice a name of its own: two fields called API do not compile.
type (
	accountsAPI = accounts.API
	projectsAPI = projects.API
	eventsAPI   = history.API
	usageAPI    = quota.API
	liveAPI     = live.API
	trendsAPI   = trends.API
	auditAPI    = audit.API
	savedAPI    = saved.API
	cohortAPI   = saved.CohortAPI
	answersAPI  = answers.API
	healthAPI   = health
)

// server implements every operation of the contract. When the contract changes, the compiler lists the missing ones
// here.
type server struct {
	*accountsAPI
	*projectsAPI
	*eventsAPI
	*usageAPI
	*liveAPI
	*trendsAPI
	*auditAPI
	*savedAPI
	*cohortAPI
	*answersAPI
	*healthAPI
}

var _ api.StrictServerInterface = (*server)(nil)

// IngestEvents is never called: routes serves the operation, with the exact bytes of the body. The method is here
// because the strict interface has every operation.
func (*server) IngestEvents(context.Context, api.IngestEventsRequestObject) (api.IngestEventsResponseObject, error) {
	return nil, errors.New("ingestion is served beside the strict handler")
}

// StreamEvents is never called either: routes serves the operation, because it takes the connection.
func (*server) StreamEvents(context.Context, api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	return nil, errors.New("the live stream is served beside the strict handler")
}

// routes is the strict server, except for the operations that need the connection or the exact bytes.
type routes struct {
	api.ServerInterface
	events *native.API
	live   *live.API
}

// IngestEvents answers a request in which some events may be bad; the strict handler knows only good and bad requests.
func (r routes) IngestEvents(c echo.Context, _ api.IngestEventsParams) error {
	body, err := httpapi.JSONBody(c)
	if err != nil {
		return err
	}
	return r.events.Ingest(c, body, func(project uuid.UUID) error { return httpapi.Authorize(c, project) })
}

// StreamEvents keeps the connection until the stream ends.
func (r routes) StreamEvents(c echo.Context, projectID api.ProjectPath, params api.StreamEventsParams) error {
	return r.live.Stream(c, projectID, &params)
}
