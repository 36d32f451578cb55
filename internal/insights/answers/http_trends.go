package answers

import (
	"context"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// AskTrends serves POST /v1/insights/trends.
func (a *API) AskTrends(_ context.Context, _ api.AskTrendsRequestObject) (api.AskTrendsResponseObject, error) {
	return nil, problem.New(problem.CodeQueryTooHeavy, "Trends are not answered yet.")
}
