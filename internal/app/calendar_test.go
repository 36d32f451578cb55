package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

func TestQuestionsHaveTheCalendarOfTheirProject(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String()
	type calendar struct {
		TimeZone  string `json:"time_zone"`
		WeekStart string `json:"week_start"`
	}
	var project calendar
	x.Do("GET", path, nil).Want(200).JSON(&project)
	if project != (calendar{"UTC", "monday"}) {
		t.Errorf("a new project has %+v", project)
	}
	x.Do("PATCH", path, map[string]any{"time_zone": "Asia/Kathmandu", "week_start": "sunday"}).Want(200).JSON(&project)
	if project != (calendar{"Asia/Kathmandu", "sunday"}) {
		t.Errorf("changed to %+v", project)
	}
	x.Do("PATCH", path, map[string]any{"name": "n"}).Want(200).JSON(&project)
	if project != (calendar{"Asia/Kathmandu", "sunday"}) {
		t.Errorf("a change of the name leaves %+v", project)
	}

	type answer struct {
		TZ        string `json:"tz"`
		WeekStart string `json:"week_start"`
		From      string `json:"from"`
	}
	kathmandu := 5*time.Hour + 45*time.Minute
	for _, c := range []struct {
		extra  map[string]any
		tz     string
		week   string
		offset time.Duration
		day    time.Weekday
	}{
		{nil, "Asia/Kathmandu", "sunday", kathmandu, time.Sunday},
		{map[string]any{"tz": "UTC"}, "UTC", "sunday", 0, time.Sunday},
		{map[string]any{"week_start": "monday"}, "Asia/Kathmandu", "monday", kathmandu, time.Monday},
		{map[string]any{"tz": "UTC", "week_start": "monday", "measure": "users"}, "UTC", "monday", 0, time.Monday},
	} {
		body, query := map[string]any{"project_id": x.ProjectID, "bucket": "1w", "limit": 2}, "/v1/metrics?bucket=1w&limit=2&project_id="+x.ProjectID.String()
		for name, v := range c.extra {
			body[name] = v
			query += fmt.Sprintf("&%s=%v", name, v)
		}
		var posted, got answer
		x.Do("POST", "/v1/metrics/query", body).Want(200).JSON(&posted)
		x.Do("GET", query, nil).Want(200).JSON(&got)
		from, err := time.Parse(time.RFC3339, got.From)
		if err != nil {
			t.Fatal(err)
		}
		_, offset := from.Zone()
		if posted != got || got.TZ != c.tz || got.WeekStart != c.week || from.Weekday() != c.day || from.Format("15:04:05") != "00:00:00" ||
			time.Duration(offset)*time.Second != c.offset {
			t.Errorf("%v: %+v and %+v; want a %s in %s", c.extra, posted, got, c.day, c.tz)
		}
	}

	var people struct{ Meta answer }
	x.Do("POST", "/v1/insights/lifecycle", map[string]any{"project_id": x.ProjectID, "bucket": "1w", "from": "2026-01-13T00:00:00Z", "to": "2026-01-15T00:00:00Z"}).
		Want(200).JSON(&people)
	if people.Meta != (answer{"Asia/Kathmandu", "sunday", "2026-01-11T00:00:00+05:45"}) {
		t.Errorf("a question about people has %+v", people.Meta)
	}

	var made struct{ Question map[string]any }
	x.Do("POST", path+"/insights", map[string]any{"name": "r", "question": map[string]any{"kind": "metrics", "week_start": "sunday"}}).Want(201).JSON(&made)
	if made.Question["week_start"] != "sunday" || made.Question["tz"] != nil {
		t.Errorf("an insight has %v: the zone it does not say is the project's, today and later", made.Question)
	}
	var log struct {
		Items []struct {
			Action  string
			Changes map[string]any
		}
	}
	x.Do("GET", path+"/audit?action=project.update&limit=2", nil).Want(200).JSON(&log)
	if got := fmt.Sprint(log.Items[len(log.Items)-1].Changes); got != "map[time_zone:map[new:Asia/Kathmandu old:UTC] week_start:map[new:sunday old:monday]]" {
		t.Errorf("the audit log has %s", got)
	}
}

func TestAProjectHasNoZoneThatIsNone(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String()
	for _, bad := range []string{"Mars/Olympus", "Local", "+05:00", "right/UTC", "../etc/passwd"} {
		for _, r := range []*apptest.Reply{
			x.Do("PATCH", path, map[string]any{"time_zone": bad}).WantCode(422, "validation_failed"),
			x.Do("POST", "/v1/projects", map[string]any{"name": "x", "time_zone": bad}).WantCode(422, "validation_failed"),
		} {
			if !strings.Contains(string(r.Body), `"/time_zone"`) || !strings.Contains(string(r.Body), "Europe/Berlin") {
				t.Errorf("%s: %s", bad, r.Body)
			}
		}
	}
	x.Do("PATCH", path, map[string]any{"week_start": "tuesday"}).WantCode(422, "validation_failed")
	var made struct {
		Project struct {
			TimeZone  string `json:"time_zone"`
			WeekStart string `json:"week_start"`
		}
	}
	x.Do("POST", "/v1/projects", map[string]any{"name": "x", "time_zone": "Africa/Cairo", "week_start": "sunday"}).Want(201).JSON(&made)
	if made.Project.TimeZone != "Africa/Cairo" || made.Project.WeekStart != "sunday" {
		t.Errorf("made with %+v", made.Project)
	}
}
