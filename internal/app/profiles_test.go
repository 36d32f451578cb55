package app_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

type operation map[string]any

type operationsResult struct {
	Accepted, Duplicates, Rejected int
	Errors                         []struct {
		Index         int
		Pointer, Code string
	}
}

func operationsOf(x *apptest.Tenant, operations ...operation) map[string]any {
	return map[string]any{"project_id": x.ProjectID, "operations": operations}
}

func TestOperationsThatAreBadDoNotHarmTheirNeighbours(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	group := func(kind, key string) operation { return operation{"type": kind, "key": key} }
	some := operation{"plan": "pro"}
	bad := []struct {
		operation operation
		want      []string
	}{
		{operation{"op": "set", "props": some}, []string{" required"}},
		{operation{"op": "set", "user_id": "u"}, []string{"/props required"}},
		{operation{"op": "change", "user_id": "u", "props": some}, []string{"/op enum"}},
		{operation{"op": "set", "user_id": "null", "anonymous_id": "undefined", "props": some}, []string{"/user_id nobody", "/anonymous_id nobody"}},
		{operation{"op": "set", "user_id": "u", "group": group("company", "acme"), "props": some}, []string{"/group conflict"}},
		{operation{"op": "set", "group": group("company", "0"), "props": some}, []string{"/group/key nobody"}},
		{operation{"op": "add", "user_id": "u", "props": operation{"n": "1"}}, []string{"/props type"}},
		{operation{"op": "unset", "user_id": "u"}, []string{"/names required"}},
		{operation{"op": "unset", "user_id": "u", "props": some}, []string{"/names required", "/props conflict"}},
		{operation{"op": "delete", "user_id": "u", "props": some, "names": []string{"plan"}}, []string{"/props conflict", "/names conflict"}},
		{operation{"op": "set", "user_id": "u", "props": some, "names": []string{"plan"}, "ts": time.Now().AddDate(0, 0, 2)},
			[]string{"/names conflict", "/ts maximum"}},
		{operation{"op": "delete", "user_id": "u", "else": 1, "ts": "yesterday"}, []string{"/else unknown_member", "/ts format"}},
	}
	good := []operation{
		{"op": "set", "user_id": "u", "anonymous_id": "a", "props": operation{}},
		{"op": "add", "group": group("company", "acme"), "props": operation{"seats": 1.5, "less": -2}},
		{"op": "unset", "anonymous_id": "a", "names": []string{"plan"}},
		{"op": "delete", "user_id": "null", "anonymous_id": "b"},
	}
	var sent []operation
	var want []string
	for i, c := range bad {
		sent = append(sent, c.operation)
		for _, w := range c.want {
			want = append(want, "/operations/"+strconv.Itoa(i)+w)
		}
	}
	var got operationsResult
	change := func(operations ...operation) *apptest.Reply {
		return x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, operations...))
	}
	change(slices.Concat(sent, good)...).Want(200).JSON(&got)
	if got.Accepted != len(good) || got.Duplicates != 0 || got.Rejected != len(bad) {
		t.Errorf("%+v", got)
	}
	var errs []string
	for _, e := range got.Errors {
		errs = append(errs, e.Pointer+" "+e.Code)
	}
	slices.Sort(errs)
	slices.Sort(want)
	if !slices.Equal(errs, want) {
		t.Errorf("got  %q\nwant %q", errs, want)
	}
	change(sent...).WantCode(422, "all_operations_rejected")
	change().WantCode(422, "validation_failed")
	change(slices.Repeat([]operation{good[0]}, 1001)...).WantCode(422, "validation_failed")
}

func TestAnOperationSentAgainIsStoredOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	send := func(x *apptest.Tenant, want operationsResult, operations ...operation) {
		t.Helper()
		var got operationsResult
		x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, operations...)).Want(200).JSON(&got)
		if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	visit := operation{"op": "add", "user_id": "u", "idempotency_key": "k", "props": operation{"visits": 1}}
	dated := func(o operation, change operation) operation {
		o = operation{"op": o["op"], "user_id": o["user_id"], "idempotency_key": o["idempotency_key"], "props": o["props"]}
		for name, v := range change {
			o[name] = v
		}
		return o
	}
	send(x, operationsResult{Accepted: 1}, visit)
	send(x, operationsResult{Duplicates: 1}, visit)
	send(x, operationsResult{Duplicates: 2}, dated(visit, operation{"ts": at}), dated(visit, operation{"ts": at.Add(time.Hour)}))
	send(x, operationsResult{Accepted: 3, Duplicates: 1}, dated(visit, operation{"user_id": "other"}), dated(visit, operation{"op": "append"}),
		dated(visit, operation{"idempotency_key": "k2"}), dated(visit, operation{"idempotency_key": "k2"}))
	send(a.Tenant(t), operationsResult{Accepted: 1}, visit) // of another project

	body, err := json.Marshal(operationsOf(x, operation{"op": "add", "user_id": "u", "props": operation{"visits": 1}},
		operation{"op": "add", "user_id": "u", "props": operation{"visits": 1}}))
	if err != nil {
		t.Fatal(err)
	}
	signed := a.Clock.Now().Unix()
	for _, want := range []operationsResult{{Accepted: 2}, {Duplicates: 2}} {
		var got operationsResult
		x.Send(x.Client.Signed(x.KeyID, x.Secret, "POST", "/v1/people/operations", body, signed)).Want(200).JSON(&got)
		if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates {
			t.Errorf("signed: %+v, want %+v", got, want)
		}
	}
}
