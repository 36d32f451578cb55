package api

import (
	"cmp"
	"context"
	"iter"

	"github.com/google/uuid"
)

// Pages ranges over the items of a list that comes in pages. page returns the items behind a cursor, which is nil for
// the first page, and the next cursor, nil after the last. An error ends the range and is its last pair.
func Pages[T any](page func(cursor *string) (items []T, next *string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var cursor *string
		for {
			items, next, err := page(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			cursor = next
		}
	}
}

// Events ranges over the events that the parameters select, newest first unless they say otherwise. Pages are fetched
// as they are needed; params.Limit is the size of one, params.Cursor where to begin.
func (c *Client) Events(ctx context.Context, params ListEventsParams) iter.Seq2[StoredEvent, error] {
	first := params.Cursor
	return Pages(func(cursor *string) ([]StoredEvent, *string, error) {
		p := params
		if p.Cursor = cursor; cursor == nil {
			p.Cursor = first
		}
		reply, err := c.ListEventsWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		return reply.JSON200.Items, reply.JSON200.NextCursor, nil
	})
}

// Received ranges over the pages of an incremental export: the events that the parameters select, each once, as they were
// received, until there are no more for now. Keep the ResumeCursor of a page once its events are dealt with, and give it as
// params.Cursor to go on behind it, whenever that is. An error with the code cursor_expired says that it is too old: begin
// again without one.
func (c *Client) Received(ctx context.Context, params ListEventsParams) iter.Seq2[*EventPage, error] {
	order := SortReceived
	params.Order = &order
	return Pages(func(cursor *string) ([]*EventPage, *string, error) {
		p := params
		p.Cursor = cmp.Or(cursor, params.Cursor)
		reply, err := c.ListEventsWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		return []*EventPage{reply.JSON200}, reply.JSON200.NextCursor, nil
	})
}

// Projects ranges over the account's projects.
func (c *Client) Projects(ctx context.Context) iter.Seq2[Project, error] {
	return Pages(func(cursor *string) ([]Project, *string, error) {
		reply, err := c.ListProjectsWithResponse(ctx, &ListProjectsParams{Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return reply.JSON200.Items, reply.JSON200.NextCursor, nil
	})
}

// WriteKeys ranges over a project's write keys, which come in one page today.
func (c *Client) WriteKeys(ctx context.Context, projectID uuid.UUID) iter.Seq2[WriteKey, error] {
	return Pages(func(*string) ([]WriteKey, *string, error) {
		reply, err := c.ListWriteKeysWithResponse(ctx, projectID)
		if err != nil {
			return nil, nil, err
		}
		return reply.JSON200.Items, nil, nil
	})
}
